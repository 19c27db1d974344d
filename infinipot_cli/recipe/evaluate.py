"""Score a reader on held-out paragraphs that fit its context, with plain transformers and no pot: the upper bound.

    python -m infinipot_cli.recipe.evaluate --model infinipot_cli/pocket --data DATA

Prints exact match and F1 (the SQuAD definitions) with a 95 % bootstrap interval for SQuAD dev paragraphs, which are
never trained on, and for invented facts of the training wordings in held-out prose. What a pot does to a book is
measured by `infinipot bench`.
"""

import argparse
import json
import lzma
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from infinipot_cli.bench.metrics import bootstrap, exact_match, f1, mean
from infinipot_cli.recipe.facts import make_fact

Item = tuple[str, str, list[str]]


def squad_paragraphs(data: Path, n: int, rng: random.Random) -> Iterator[Item]:
    """Paragraphs of SQuAD dev with one question each."""
    with lzma.open(data / "evaluation" / "longqa_squad_dev.jsonl.xz", "rt", encoding="utf-8") as lines:
        articles = [json.loads(line) for line in lines]
    asked = [(article, question) for article in articles for question in article["qas"]]
    for article, question in rng.sample(asked, n):
        yield (
            article["document"][question["para_start"] : question["para_end"]],
            question["question"],
            question["answers"],
        )


def planted_facts(book: Path, n: int, rng: random.Random, n_characters: int) -> Iterator[Item]:
    """Invented facts of the training wordings in a stretch of a book that was not trained on."""
    text = book.read_text(encoding="utf-8")
    for _ in range(n):
        fact = make_fact(rng)
        question, answer = rng.choice(fact.questions)
        at = rng.randrange(0, len(text) - n_characters)
        stretch = text[at : at + n_characters]
        cut = stretch.find(". ", rng.randrange(0, n_characters * 3 // 4)) + 1
        yield stretch[:cut] + " " + fact.text + stretch[cut:], question, [answer]


@torch.inference_mode()
def answer(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: str, question: str, *, ahead: bool = False
) -> str:
    """Greedy answer with everything in memory, the question in front of the text too if it shall stand ahead."""
    content = (f"Question: {question}\n\n" if ahead else "") + f"{text}\n\nQuestion: {question}"
    messages = [{"role": "user", "content": content}]
    inputs: Any = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    out = cast(Any, model).generate(**inputs, max_new_tokens=32, do_sample=False)
    return str(tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)).strip()


def main() -> None:
    """Print one row a set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--ahead", action="store_true", help="ask in front of the text too, as `--set ahead` does")
    parser.add_argument("--show", type=int, default=0, help="print this many answers of each set")
    options = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(options.model, trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32, trust_remote_code=False).eval()
    rng = random.Random(0)
    book = options.data / "documents" / "Stevenson_Treasure_1883.txt"
    sets = {
        "facts, 300 characters": planted_facts(book, options.n, rng, 300),
        "facts, 1,500 characters": planted_facts(book, options.n, rng, 1500),
        "SQuAD dev paragraphs": squad_paragraphs(options.data, options.n, rng),
    }
    for name, items in sets.items():
        scores = []
        for number, (text, question, wanted) in enumerate(items):
            got = answer(model, tokenizer, text, question, ahead=options.ahead)
            scores.append((exact_match(got, wanted), f1(got, wanted)))
            if number < options.show:
                print(f"    {question!r} -> {got!r}   ({wanted[0]!r})")
        print(f"{name:26} EM {_interval([s[0] for s in scores])}   F1 {_interval([s[1] for s in scores])}", flush=True)


def _interval(scores: list[float]) -> str:
    low, high = bootstrap(scores)
    return f"{100 * mean(scores):5.1f} ({100 * low:.0f}-{100 * high:.0f})"


if __name__ == "__main__":
    main()
