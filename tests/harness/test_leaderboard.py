from harness import leaderboard
from tests.harness.fake_store import make_store

NASTY = ("<script>alert(1)</script>", "a|b\nc", "![x](http://e/x.png)")


def test_words_from_strangers_stay_words_in_the_markdown(tmp_path):
    store = make_store(tmp_path / "runs", 1, classes=NASTY, data_name="\x1b[2J<img src=x>\n# no")
    leaderboard.write(store, tmp_path / "leaderboard.md")
    text = (tmp_path / "leaderboard.md").read_text("utf-8")
    assert r"## \\x1b\[2J\<img src=x> # no (" in text
    for name in NASTY:
        assert name not in text
    heading, _, row = (line for line in text.split("##")[1].splitlines() if line.startswith("|"))
    assert row.replace("\\|", "").count("|") == heading.count("|")


def test_each_data_set_has_a_table_of_its_own(tmp_path, capsys):
    store = make_store(tmp_path, 2, data_name="demo")
    leaderboard.print_records(leaderboard.records(store), ("rank", "run"), "Runs")
    assert capsys.readouterr().out.count("Runs\n") == 1
    make_store(tmp_path, 1, data_name="cells.npz", classes=NASTY, seed=1)
    leaderboard.print_records(leaderboard.records(store), ("rank", "run"), "Runs")
    out = capsys.readouterr().out
    assert "Runs: demo (" in out
    assert "Runs: cells.npz (" in out


def test_every_sign_of_markdown_is_shown_as_it_is():
    assert leaderboard.literal("a|b <i>\t[x](y) `*~&\\") == r"a\|b \<i> \[x\](y) \`\*\~\&" + "\\\\"
    assert leaderboard.literal("_odd_ training_set.npz") == r"\_odd\_ training_set.npz"
    assert leaderboard.literal("immature granulocytes, VGG16 + MobileNetV2") == (
        "immature granulocytes, VGG16 + MobileNetV2")
