import io
import subprocess
import sys
from contextlib import redirect_stdout

import pytest

from harness import terminal

WIDE = {"rank": "#", "name": "name", "a": "a heading", "b": "another heading", "c": "third"}
ROWS = [{"rank": i, "name": f"run {i}", "a": "x" * 30, "b": "y" * 30, "c": 1.5} for i in (1, 2)]


@pytest.fixture(autouse=True)
def _normal():
    yield
    terminal.set_verbosity()
    terminal._bars = True


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def screen(monkeypatch):
    """A terminal of 60 columns, for redirect_stdout."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    made = Screen()
    terminal._shared_console.cache_clear()
    yield made
    terminal._shared_console.cache_clear()


@pytest.fixture
def pipe(monkeypatch):
    terminal._shared_console.cache_clear()
    yield
    terminal._shared_console.cache_clear()


def test_a_pipe_gets_plain_lines_of_any_width(pipe, capsys):
    terminal.say("hello")
    terminal.print_table(ROWS, WIDE, title="Best first")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    line = next(text for text in out.splitlines() if "run 1" in text)
    assert "x" * 30 in line
    assert "y" * 30 in line
    assert line.rstrip().endswith("1.5")


def test_empty_columns_are_left_out_and_nothing_is_said_so(pipe, capsys):
    terminal.print_table([{"a": 1, "b": None}], {"a": "first", "b": "second"})
    assert "second" not in capsys.readouterr().out
    terminal.print_table([], {"a": "first"}, title="Runs")
    assert capsys.readouterr().out.split() == ["Runs", "(nothing)"]


def test_numbers_stand_to_the_right_and_words_to_the_left(pipe, capsys):
    terminal.print_table([{"n": "9.5 %", "w": "a"}, {"n": "10.5 %", "w": "bcd"}],
                         {"n": "share", "w": "word"})
    first, second = capsys.readouterr().out.splitlines()[2:4]
    assert first.startswith(" 9.5 %")
    assert second.startswith("10.5 %")
    assert first.index("a") == second.index("bcd")


def test_a_narrow_window_gets_several_tables_that_repeat_the_name(screen):
    with redirect_stdout(screen):
        terminal.print_table(ROWS, WIDE)
    lines = [text for text in screen.getvalue().splitlines() if text.strip()]
    assert max(len(plain(text)) for text in lines) <= 60
    assert sum("run 1" in text for text in lines) == 2


def test_in_a_very_narrow_window_every_table_says_something_of_the_name(screen, monkeypatch):
    monkeypatch.setenv("COLUMNS", "24")
    with redirect_stdout(screen):
        terminal.print_table([{"rank": i, "name": "n" * 24, "a": "x" * 9} for i in (1, 2)], WIDE)
    headings = [text.split() for text in plain(screen.getvalue()).splitlines() if "name" in text]
    assert headings == [["#", "name"], ["name", "a", "heading"]]


def test_a_terminal_has_colours_unless_no_color_is_set(screen, monkeypatch):
    with redirect_stdout(screen):
        terminal._console(False).print("word", style="red")
    assert "\x1b[31m" in screen.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    terminal._shared_console.cache_clear()
    bare = Screen()
    with redirect_stdout(bare):
        terminal._console(False).print("word", style="red")
        terminal.print_table(ROWS, WIDE)
    assert "word" in bare.getvalue()
    assert "\x1b[3" not in bare.getvalue()


@pytest.mark.parametrize("text", ["\x1b[2J\x1b]0;title\x07", "a\u202eb", "\x9b31m", "\r\b\x00"])
def test_words_from_a_file_cannot_steer_the_terminal(pipe, capsys, text):
    terminal.say(text)
    terminal.print_table([{"a": text}], {"a": text}, title=text)
    out = capsys.readouterr().out
    assert not set(out) & {"\x1b", "\u202e", "\x9b", "\x07", "\b", "\0", "\r"}
    assert "\\x" in out


def test_markup_in_words_is_printed_as_it_is(pipe, capsys):
    terminal.say("[bold]x[/bold] :smile:")
    assert capsys.readouterr().out == "[bold]x[/bold] :smile:\n"


def test_quiet_keeps_tables_and_warnings_and_drops_the_rest(pipe, capsys):
    terminal.set_verbosity(quiet=True, verbose=True)
    terminal.say("talk")
    terminal.detail("more talk")
    terminal.next_command("harness zoo")
    terminal.warn("careful")
    terminal.print_table([{"a": 1}], {"a": "first"})
    with terminal.progress(10, "work") as bar:
        bar.advance(10)
    out, err = capsys.readouterr()
    assert "talk" not in out
    assert "Next" not in out
    assert "first" in out
    assert err == "Note: careful\n"


def test_details_come_when_they_are_asked_for(pipe, capsys):
    terminal.detail("more")
    assert capsys.readouterr().out == ""
    terminal.set_verbosity(verbose=True)
    terminal.detail("more")
    assert capsys.readouterr().out == "more\n"


def test_progress_in_a_pipe_is_a_line_now_and_then_with_an_estimate(pipe, capsys, monkeypatch):
    clock = iter([0.0, 10.0, 40.0, 50.0, 60.0])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(clock))
    with terminal.progress(100, "pictures") as bar:
        bar.advance(10)
        bar.advance(10, "large ones")
        bar.advance(80)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["pictures: 20 %, about 3 min left, large ones", "pictures: 60 s"]


def test_short_work_in_a_pipe_says_nothing(pipe, capsys):
    with terminal.progress(3, "pictures") as bar:
        bar.advance(3)
    assert capsys.readouterr() == ("", "")


def test_progress_of_nothing_is_allowed(pipe, capsys):
    with terminal.progress(0, "pictures") as bar:
        bar.advance(0)
    assert capsys.readouterr() == ("", "")


def test_progress_on_a_terminal_is_a_bar_that_goes_when_it_is_done(screen):
    with redirect_stdout(screen), terminal.progress(4, "pictures") as bar:
        bar.advance(2, "half")
        bar.bars.refresh()
    for word in ("pictures", "50 %", "half"):
        assert word in screen.getvalue()


@pytest.mark.parametrize("verbosity, said", [(-1, ""), (0, "talk\n"), (1, "talk\nmore\n")])
def test_processes_that_share_a_terminal_follow_the_first_and_draw_no_bars(screen, verbosity,
                                                                         said):
    terminal.follow(verbosity)
    assert terminal.verbosity() == verbosity
    with redirect_stdout(screen), terminal.progress(4, "pictures") as bar:
        bar.advance(2)
        terminal.say("talk")
        terminal.detail("more")
    assert plain(screen.getvalue()) == said


@pytest.mark.parametrize("seconds, words", [(8, "8 s"), (89.4, "89 s"), (150, "2 min"),
                                            (7500, "2 h 05 min")])
def test_durations_read_as_people_say_them(seconds, words):
    assert terminal.duration(seconds) == words


def test_tensorflow_is_imported_in_silence():
    done = subprocess.run([sys.executable, "-m", "harness.cli.main", "doctor"],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert done.stderr == ""


def plain(text):
    from rich.text import Text

    return Text.from_ansi(text).plain
