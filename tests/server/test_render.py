"""`relay render`, as a person runs it."""

from __future__ import annotations

from pathlib import Path

from tests.server.test_life import relay_command


def test_a_refusal_goes_to_stderr_and_a_result_to_stdout(tmp_path: Path) -> None:
    done = relay_command("render", "SignIn", "--var", "code=123456", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "123456" in done.stdout
    refused = relay_command("render", "SignIn", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "550 5.6.0 Variables not given: code\n"


def test_a_template_that_fails_says_where(tmp_path: Path) -> None:
    (tmp_path / "mails").mkdir()
    (tmp_path / "mails" / "Sum.txt").write_text(
        '+++\nsubject = "x"\nsyntax = "jinja"\n+++\n{{ 1 // n|int }}\n'
    )
    (tmp_path / "config.toml").write_text('templatesDir = "mails"\n')
    failed = relay_command("render", "Sum", "--var", "n=0", cwd=tmp_path)
    assert (failed.returncode, failed.stdout) == (1, "")
    first, second = failed.stderr.splitlines()
    assert "template failed" in first
    assert "place=mails/Sum.txt:5" in first
    assert second == "451 4.3.0 The mail's template failed; the log says where"
    done = relay_command("render", "Sum", "--var", "n=2", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_variables_of_a_file_have_lists_and_give_way_to_those_of_the_command(
    tmp_path: Path,
) -> None:
    (tmp_path / "mails").mkdir()
    (tmp_path / "mails" / "Order.txt").write_text(
        '+++\nsubject = "{{ number }}"\nsyntax = "jinja"\n+++\n'
        "{% for line in lines %}{{ line.name }};{% endfor %} {{ to.name }}\n"
    )
    (tmp_path / "config.toml").write_text('templatesDir = "mails"\n')
    (tmp_path / "order.json").write_text(
        '{"number": 17, "lines": [{"name": "Tea"}, {"name": "Cup"}], "to": 1}'
    )
    order = ("render", "Order", "--variables")
    made = relay_command(*order, "order.json", "--var", "to.name=Ann", cwd=tmp_path)
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.endswith("Subject: 17\n\n--- text/plain\nTea;Cup; Ann\n")
    for text, said in (
        ('{"code": "s3cret"', "Expecting ',' delimiter: line 1 column 18 (char 17)"),
        ("[1]", "must be one JSON object"),
        (None, "No such file or directory; must be a file that user"),
    ):
        name = "other.json" if text is None else "order.json"
        (tmp_path / "order.json").write_text(text or "")
        wrong = relay_command(*order, name, cwd=tmp_path)
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert f"argument --variables: {name}: {said}" in wrong.stderr
        assert "s3cret" not in wrong.stderr
