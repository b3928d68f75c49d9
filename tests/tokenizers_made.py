"""Tokenizers of every kind that models bring, trained on a few lines in a moment: the real libraries' own."""

from __future__ import annotations

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

TEXT = """
The raft carried her over. She had asked the heron; it said nothing at all, as ever. Every morning the children walked
past the green door, and every morning one of them said that there was a light in the upper window. A light, she said,
is only the sun in an old piece of glass! In the spring a woman came with a key: she was neither young nor old. "Who
is there?" he asked. It wasn't (only) the birds' fault, well-known in 1984 for 3.5 % of it. Nobody saw the light again.
""".split("\n")
LONGEST = 64


def byte_level(*, bos: str | None = "<s>", eos: str | None = "</s>", **specials: str) -> PreTrainedTokenizerFast:
    """GPT-2's kind: bytes as letters, a leading space as Ġ."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    _train(tokenizer, trainers.BpeTrainer, [bos, eos, *specials.values()], pre_tokenizers.ByteLevel.alphabet())
    return _wrapped(tokenizer, bos_token=bos, eos_token=eos, **specials)


def byte_level_encoder() -> PreTrainedTokenizerFast:
    """RoBERTa's and BART's kind: byte-level between <s> and </s>."""
    made = byte_level(pad_token="<pad>", mask_token="<mask>", unk_token="<unk>")
    made.backend_tokenizer.post_processor = _between(made.backend_tokenizer, "<s>", "</s>")
    return made


def llama2_style() -> PreTrainedTokenizerFast:
    """SentencePiece BPE as Llama 2 has it: no pre-tokenizer, spaces written ▁, bytes for whatever is unknown."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=True)
    letters = [f"<0x{byte:02X}>" for byte in range(256)]
    _train(tokenizer, trainers.BpeTrainer, ["<s>", "</s>", "<unk>", *letters], ["▁"])
    tokenizer.pre_tokenizer = None
    return _wrapped(tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>", hidden=letters)


def unigram(*, framed: bool = False) -> PreTrainedTokenizerFast:
    """T5's kind: SentencePiece unigram, a text ends with </s>; `framed`: DeBERTa's, between [CLS] and [SEP]."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    specials = ["[PAD]", "[CLS]", "[SEP]", "<unk>", "[MASK]"] if framed else ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=220, special_tokens=specials, unk_token="<unk>", initial_alphabet=["▁"], show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    if framed:
        tokenizer.post_processor = _between(tokenizer, "[CLS]", "[SEP]")
        return _wrapped(
            tokenizer, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="<unk>", mask_token="[MASK]"
        )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", tokenizer.token_to_id("</s>"))]
    )
    return _wrapped(tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def word_piece() -> PreTrainedTokenizerFast:
    """BERT's kind: lower case, accents stripped, ## before what continues a word."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=260, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.post_processor = _between(tokenizer, "[CLS]", "[SEP]")
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return _wrapped(tokenizer, **dict(zip(names, specials, strict=True)))


def two_letters() -> PreTrainedTokenizerFast:
    """A vocabulary so small that all of its words can be listed: a and b, each with and without a space before it."""
    tokenizer = Tokenizer(models.WordLevel({"▁a": 0, "▁b": 1, "a": 2, "b": 3, "</s>": 4, "<unk>": 5}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("▁?[ab]"), behavior="isolated")
    return _wrapped(tokenizer, bos_token="</s>", eos_token="</s>")


def _train(tokenizer: Tokenizer, trainer: type, specials: list[str | None], alphabet: list[str]) -> None:
    named = [AddedToken(name, special=True, normalized=False) for name in specials if name is not None]
    tokenizer.train_from_iterator(
        TEXT, trainer(vocab_size=len(named) + 300, special_tokens=named, initial_alphabet=alphabet, show_progress=False)
    )


def _between(tokenizer: Tokenizer, head: str, tail: str) -> processors.TemplateProcessing:
    known = [(name, tokenizer.token_to_id(name)) for name in (head, tail)]
    return processors.TemplateProcessing(single=f"{head} $A {tail}", special_tokens=known)


def _wrapped(tokenizer: Tokenizer, *, hidden: list[str] | None = None, **specials: str | None) -> PreTrainedTokenizerFast:
    named = {name: value for name, value in specials.items() if value is not None}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=LONGEST, **named)
