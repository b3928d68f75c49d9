"""Forms with files: fields are kept in memory within bounds, files go to disk as they come in."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from fastapi import Request
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from ..errors import BodyMalformed, BodyTooLarge, MediaTypeUnsupported, RequestInvalid
from ..uploads import Saving, saving
from .forms import MAX_FIELDS

MEDIA_TYPE = "multipart/form-data"
MAX_FIELD_BYTES = 65_536
"""Of all fields together."""

MAX_HEADER_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class Part:
    """The beginning of a part: a field's name, and of a file the name that it has where it comes from."""

    name: str
    file_name: str | None


@dataclass(frozen=True, kw_only=True)
class SavedFile:
    """A file of a form that is on disk; `name` is the last part of what it is called where it comes from."""

    path: Path
    name: str


END = None
"""The end of a part."""

Event = Part | bytes | None


@dataclass
class UploadForm:
    """A form as far as it has come in: what was typed, and the files that are saved."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: list[SavedFile] = field(default_factory=list)

    async def receive(self, request: Request, folder: Path, *, max_file_bytes: int) -> None:
        """Takes the form in, its files to new files in a folder.

        Raises MediaTypeUnsupported, BodyMalformed, BodyTooLarge, RequestInvalid and InsufficientStorage.
        """
        n_left = MAX_FIELD_BYTES
        async with AsyncExitStack() as open_files:
            part, saved, text = None, None, bytearray()
            async for event in _events(request):
                if isinstance(event, Part):
                    part, text = event, bytearray()
                    if event.file_name:
                        path = folder / f"file-{len(self.files)}"
                        saved = await open_files.enter_async_context(saving(path))
                        self.files.append(SavedFile(path=path, name=event.file_name))
                elif event is END:
                    if part is not None and part.file_name is None:
                        self._keep(part.name, bytes(text))
                    part, saved = None, None
                    await open_files.aclose()
                elif saved is not None and part is not None:
                    await _add(saved, event, part, max_file_bytes)
                else:
                    n_left -= len(event)
                    if n_left < 0:
                        raise BodyTooLarge(f"the fields of the form have more than {MAX_FIELD_BYTES} bytes")
                    text += event

    def _keep(self, name: str, text: bytes) -> None:
        try:
            said = text.decode("utf-8")
        except ValueError as error:
            raise RequestInvalid("the form is not well-formed", hint="send it in UTF-8") from error
        if said:
            self.fields.setdefault(name, []).append(said)


async def _add(saved: Saving, piece: bytes, part: Part, max_file_bytes: int) -> None:
    await saved.add(piece)
    if saved.n_bytes > max_file_bytes:
        hint = "BROCA_MAX_IMPORT_BYTES bounds it"
        raise BodyTooLarge(f"the file has more than {max_file_bytes:,} bytes", hint=hint, param=part.name)


async def _events(request: Request) -> AsyncIterator[Event]:
    """The parts of a form one after the other; raises BodyMalformed where it is none, or breaks off."""
    reader = _Reader(request.headers.get("content-type", ""))
    try:
        async for chunk in request.stream():
            for event in reader.read(chunk):
                yield event
    except ClientDisconnect as error:
        raise BodyMalformed("the form broke off", hint="send it again") from error
    if not reader.is_whole:
        raise BodyMalformed("the form broke off", hint="send it again")


class _Reader:
    """From bytes to events."""

    def __init__(self, content_type: str) -> None:
        media_type, options = parse_options_header(content_type)
        if media_type != MEDIA_TYPE.encode() or not options.get(b"boundary"):
            raise MediaTypeUnsupported("the body is not declared as a form", hint=f"send Content-Type: {MEDIA_TYPE}")
        self.is_whole = False
        self._found: deque[Event] = deque()
        self._n_parts = 0
        self._name, self._value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": lambda data, start, end: self._found.append(data[start:end]),
                    "on_part_end": lambda: self._found.append(END),
                    "on_end": self._end,
                },
                max_header_size=MAX_HEADER_BYTES,
            )
        except ValueError as error:
            raise BodyMalformed("the form is not well-formed") from error

    def read(self, chunk: bytes) -> deque[Event]:
        """What a chunk holds. Raises BodyMalformed, RequestInvalid."""
        self._found = deque()
        try:
            if chunk:
                self._parser.write(chunk)
        except ValueError as error:
            raise BodyMalformed("the form is not well-formed") from error
        return self._found

    def _begin(self) -> None:
        self._headers = {}
        self._n_parts += 1
        if self._n_parts > MAX_FIELDS:
            raise RequestInvalid("the form is not well-formed", hint=f"send at most {MAX_FIELDS} fields")

    def _end_header(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name, self._value = bytearray(), bytearray()

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name", b"").decode("utf-8", errors="replace")
        file_name = options.get(b"filename")
        called = None if file_name is None else PurePath(file_name.decode("utf-8", errors="replace")).name
        self._found.append(Part(name=name, file_name=called))

    def _end(self) -> None:
        self.is_whole = True
