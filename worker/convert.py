"""The conversion process: without network and token. It makes safetensors and a fast tokenizer of older files.

Run as `python -m worker.convert FOLDER`; reads the order from the folder and leaves the answer there. It leaves the
network before anything else is imported: libraries start threads, and then it is too late.
"""

from __future__ import annotations

import resource
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .confinement import leave_the_network

if TYPE_CHECKING:
    from .conversion import ConversionAnswer, ConversionOrder


def main(folder: Path) -> None:
    """Carry out the order in `folder`."""
    is_confined = leave_the_network()
    from .child import end_with_supervisor
    from .conversion import ConversionAnswer, ConversionOrder
    from .exchange import ANSWER_FILE, ORDER_FILE, Failure

    end_with_supervisor()
    order = ConversionOrder.read(folder / ORDER_FILE)
    limit_memory(order.memory_bytes)
    try:
        answer = convert(order, is_confined=is_confined)
    except Exception as error:  # the boundary of the process: everything becomes an answer
        answer = ConversionAnswer(failure=Failure.of(_of_memory(error) or error), is_confined=is_confined)
    answer.write(folder / ANSWER_FILE)


def limit_memory(n_bytes: int) -> None:
    """Let this process address no more than so many bytes: a small pickle can describe tensors of terabytes."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    allowed = n_bytes if most == resource.RLIM_INFINITY else min(n_bytes, most)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, most))


def _of_memory(error: Exception) -> Exception | None:
    """The error with a code, where memory was refused."""
    from scoring.errors import OutOfMemory
    from scoring.subjects.extraction import is_out_of_memory

    if not is_out_of_memory(error):
        return None
    return OutOfMemory(
        f"the conversion asks for more memory than files of this size have a need for: {str(error)[:300]}",
        hint="the weights may be damaged, or describe tensors larger than their file",
    )


def convert(order: ConversionOrder, *, is_confined: bool) -> ConversionAnswer:
    """Fill the destination with what the source lacks: safetensors, tokenizer.json. Everything else is copied."""
    from scoring.subjects.fast_tokenizers import save_fast_tokenizer
    from scoring.subjects.pickled import check_against_architecture, save_as_safetensors
    from scoring.subjects.tokenizer_files import TOKENIZER

    from .conversion import ConversionAnswer

    order.destination.mkdir()
    has_tokenizer = (order.source / TOKENIZER).is_file()
    for path in order.source.iterdir():
        if is_copied(path.name, has_tokenizer=has_tokenizer):
            shutil.copyfile(path, order.destination / path.name)
    if not any(path.suffix == ".safetensors" for path in order.destination.iterdir()):
        save_as_safetensors(order.source, order.destination)
    report = check_against_architecture(order.destination)
    made = "as found" if has_tokenizer else save_fast_tokenizer(order.source, order.destination)
    return ConversionAnswer(
        is_confined=is_confined,
        architecture=report.architecture,
        n_tensors=report.n_tensors,
        unexpected=report.unexpected,
        tokenizer=made,
    )


def is_copied(name: str, *, has_tokenizer: bool) -> bool:
    """Whether a file goes into the copy as it is: not a vocabulary that `tokenizer.json` takes the place of."""
    from scoring.subjects.local import is_model_file
    from scoring.subjects.tokenizer_files import BYTE_LEVEL, SENTENCEPIECE, WORD_PIECE

    replaced = {*SENTENCEPIECE, *BYTE_LEVEL, WORD_PIECE, "added_tokens.json", "special_tokens_map.json"}
    return is_model_file(name) and (has_tokenizer or name not in replaced)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
