"""Long lines on a terminal: whole words, a margin, nothing lost."""

from infinipot_cli.display.fold import folded


def test_long_lines_are_folded_between_words() -> None:
    line = "  l. 1–9   kept 10 %" + " · attended 5 %" * 6
    *rows, last = folded([line, "layer  0  |▁▂  ▃|"], 40)
    assert len(rows) > 2 and max(map(len, rows)) <= 40 and last == "layer  0  |▁▂  ▃|"
    assert " ".join(" ".join(rows).split()) == " ".join(line.split())
    assert rows[0].startswith("  l. 1") and all(row.startswith(" " * 6) for row in rows[1:])
    assert not any(row.split()[0].startswith("%") for row in rows)


def test_a_word_longer_than_the_screen_is_not_lost() -> None:
    assert "".join("".join(folded(["a" * 50], 30)).split()) == "a" * 50
