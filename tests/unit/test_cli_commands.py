"""The command line as users run it: exit codes, what goes to stdout, what goes to stderr."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from broca import cli
from tests.unit.test_client import ANALYSIS, JOB, PREFLIGHT, PROBLEM, RUN, SCORE, Server, unused_url
from tests.unit.test_client import server as server  # the fixture

Invoke = Callable[..., int]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Invoke:
    """Runs `broca` in this process and gives its exit code."""
    monkeypatch.setenv("BROCA_DATA_DIR", str(tmp_path))
    for name in ("BROCA_URL", "BROCA_DATA_MIRROR", "BROCA_HOST", "BROCA_PORT", "BROCA_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["broca", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    return run


def finished(server: Server, status: str = "succeeded") -> None:
    run = {**RUN, "status": status, "score": "score_1" if status == "succeeded" else None}
    run["error"] = None if status == "succeeded" else {**PROBLEM, "code": "model_gated", "detail": "ask its owner"}
    server.on("POST /v1/jobs", JOB, status=202)
    server.on("GET /v1/jobs/job_1", {**JOB, "status": status, "runs": [run]})
    server.on("GET /v1/scores/score_1", SCORE)
    server.on("GET /v1/benchmarks", {"object": "list", "data": [{"id": "demo-fmri", "synthetic": True}]})


def test_version(invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("--version") == 0
    assert capsys.readouterr().out.startswith("broca ")


def test_score_shows_a_table_that_marks_synthetic_data(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    finished(server)
    assert invoke("score", "gpt2", "-b", "demo-fmri", "--server", server.url) == 0
    shown = capsys.readouterr()
    for part in ("demo-fmri (SYNTHETIC)", "0.2500", "0.5000", "0.2000 … 0.3000", "block.2", "96", "few_stimuli"):
        assert part in shown.out
    assert "100 %" not in shown.out, "progress goes to stderr"
    assert "succeeded [demo-fmri succeeded]" in shown.err


def test_score_shows_baselines_and_untrained_twins_as_one_range(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    raws = {"baseline/nuisance": 0.07, "baseline/oasm": 0.0, "untrained/gpt2@0": 0.05, "untrained/gpt2@1": 0.01}
    finished(server)
    server.on(
        "GET /v1/scores/score_1", {**SCORE, "baselines": [{"id": name, "raw": raw} for name, raw in raws.items()]}
    )
    assert invoke("score", "gpt2", "-b", "demo-fmri", "--server", server.url) == 0
    shown = capsys.readouterr().out
    assert "baseline/nuisance 0.0700, baseline/oasm 0.0000, untrained 0.0100 … 0.0500 (2 seeds)" in shown


def test_score_sends_its_options(server: Server, invoke: Invoke) -> None:
    finished(server)
    arguments = ("--revision", "main", "--dtype", "float32", "--force", "--no-wait", "--server", server.url)
    assert invoke("score", "gpt2", "-b", "a", "-b", "b", *arguments) == 0
    body = server.requests[0][1]
    assert body["model"] == {"id": "gpt2", "revision": "main"}
    assert (body["benchmarks"], body["options"], body["force"]) == (["a", "b"], {"dtype": "float32"}, True)


def test_score_sends_how_the_model_reads(server: Server, invoke: Invoke) -> None:
    finished(server)
    reading = ("--context", "window:20", "--pooling", "mean", "--prompt-format", "chat")
    surprisal = ("--surprisal", "pseudo-log-likelihood")
    assert invoke("score", "gpt2", "-b", "a", *reading, *surprisal, "--no-wait", "--server", server.url) == 0
    assert server.requests[0][1]["options"] == {
        "context": "window:20",
        "pooling": "mean",
        "prompt_format": "chat",
        "surprisal": "pseudo-log-likelihood",
    }


def test_score_as_json_is_one_document(server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    finished(server)
    assert invoke("score", "gpt2", "-b", "demo-fmri", "--json", "--server", server.url) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["job"]["status"] == "succeeded"
    assert found["scores"][0]["raw"] == 0.25


def test_a_failed_job_exits_with_1_and_says_why(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    finished(server, "failed")
    assert invoke("score", "gpt2", "-b", "demo-fmri", "--server", server.url) == 1
    shown = capsys.readouterr().err
    assert "ask its owner" in shown
    assert "model_gated" in shown


def test_bad_input_exits_with_2_and_shows_detail_and_hint(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    server.on("POST /v1/jobs", PROBLEM, status=422)
    assert invoke("score", "gpt2", "-b", "pereira", "--server", server.url) == 2
    shown = capsys.readouterr().err
    assert "'pereira' is not a benchmark [benchmark_unknown] (benchmarks.0)" in shown
    assert "did you mean pereira2018-example?" in shown


def test_a_field_that_the_detail_names_is_not_named_twice(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    detail = "options.pooling has to be 'last' or 'mean'"
    server.on("POST /v1/jobs", {**PROBLEM, "detail": detail, "param": "options.pooling"}, status=422)
    assert invoke("score", "gpt2", "-b", "b", "--pooling", "avg", "--server", server.url) == 2
    assert capsys.readouterr().err.count("options.pooling") == 1


def test_the_code_of_an_error_of_several_lines_stands_on_the_first(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    detail = "error a: wrong\nwarning b: odd"
    server.on("POST /v1/jobs", {**PROBLEM, "code": "recording_refused", "detail": detail, "param": None}, status=422)
    assert invoke("score", "gpt2", "-b", "b", "--server", server.url) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["error: error a: wrong [recording_refused]", "warning b: odd"]


def test_score_without_a_benchmark_exits_with_2(invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("score", "gpt2") == 2
    assert "on which benchmark?" in capsys.readouterr().err


def test_benchmarks_stand_after_the_model_or_after_their_option(server: Server, invoke: Invoke) -> None:
    finished(server)
    assert invoke("score", "gpt2", "a", "-b", "b", "c", "--no-wait", "--server", server.url) == 0
    assert invoke("score", "gpt2", "a", "--no-wait", "--server", server.url) == 0
    assert [body["benchmarks"] for _, body in server.requests] == [["b", "a", "c"], ["a"]]


def test_a_word_after_the_model_that_is_no_benchmark_may_be_a_name_without_quotes(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    server.on("POST /v1/jobs", {**PROBLEM, "hint": None}, status=422)
    assert invoke("score", "my", "model", "-b", "demo-fmri", "--server", server.url) == 2
    shown = capsys.readouterr().err
    assert "hint: words after the model 'my' are benchmarks" in shown
    assert "needs quotes" in shown


@pytest.mark.parametrize("arguments", [("jobs",), ("leaderboard",), ("cancel", "job_1"), ("score", "m", "-b", "b")])
def test_without_a_server_every_client_command_exits_with_3(
    invoke: Invoke, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert invoke(*arguments, "--server", unused_url()) == 3
    assert "broca serve" in capsys.readouterr().err


def test_jobs_are_listed_as_table_and_json(server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    server.on("GET /v1/jobs?page_size=50", {"object": "list", "data": [JOB], "next_page_token": None})
    assert invoke("jobs", "--server", server.url) == 0
    assert "job_1" in capsys.readouterr().out
    assert invoke("jobs", "--json", "--server", server.url) == 0
    assert json.loads(capsys.readouterr().out)[0]["id"] == "job_1"


def test_cancel_says_what_became_of_the_job(server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    server.on("POST /v1/jobs/job_1/cancel", {**JOB, "status": "cancelled"})
    assert invoke("cancel", "job_1", "--server", server.url) == 0
    assert capsys.readouterr().out == "job_1 cancelled\n"


def test_retry_prints_the_new_job(server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    server.on("POST /v1/jobs/job_1/retry", {**JOB, "id": "job_2", "retry_of": "job_1"}, status=202)
    assert invoke("retry", "job_1", "--server", server.url) == 0
    assert capsys.readouterr().out == "job_2\n"
    assert invoke("retry", "job_1", "--json", "--server", server.url) == 0
    assert json.loads(capsys.readouterr().out)["retry_of"] == "job_1"


def test_leaderboard_shows_values_and_why_others_are_missing(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = {"value": 0.5, "interval": None, "score": "s", "flags": ["leak", "confounded"]}
    scores = {"demo-fmri": cell, "b": {"value": None, "missing": "timeout"}}
    row = {"rank": 1, "rank_interval": None, "tie_group": None, "model": {"id": "gpt2"}, "scores": scores}
    columns = [{"key": "demo-fmri", "label": "", "help": "", "unit": "normalised"}, {"key": "b", "unit": "raw"}]
    board = {"object": "leaderboard", "protocol": "grouped", "columns": columns, "data": [row], "snapshot": None}
    server.on("GET /v1/leaderboard?protocol=grouped&sort=-average&include_synthetic=true", board)
    server.on("GET /v1/benchmarks", {"object": "list", "data": [{"id": "demo-fmri", "synthetic": True}]})
    assert invoke("leaderboard", "--synthetic", "--server", server.url) == 0
    shown = capsys.readouterr().out
    assert "demo-fmri (SYNTHETIC)" in shown
    assert "0.5000 (leak, confounded)" in shown
    assert "timeout" in shown


def test_leaderboard_says_who_has_no_average_and_what_averages_are_of(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    value, never = {"value": 0.5, "score": "s"}, {"value": None, "missing": "never_run"}
    one = {"rank": None, "model": {"id": "m1"}, "average": None, "scores": {"a": value, "b": value, "own/c": never}}
    other = {"rank": None, "model": {"id": "m2"}, "average": None, "scores": {"a": value, "b": never, "own/c": value}}
    columns = [{"key": "a", "unit": "normalised"}, {"key": "b", "unit": "raw"}, {"key": "own/c", "unit": "raw"}]
    board = {"object": "leaderboard", "protocol": "grouped", "columns": columns, "data": [one, other]}
    board |= {"snapshot": None, "average_unit": "raw"}
    server.on("GET /v1/leaderboard?protocol=grouped&sort=-average", board)
    server.on("GET /v1/benchmarks", {"object": "list", "data": []})
    assert invoke("leaderboard", "--server", server.url) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "0 of 2 models have scores in all 3 columns" in shown
    assert "--benchmarks a " in shown + " "
    assert "average of raw scores, as not every column is normalised" in shown


def test_columns_are_advised_only_where_they_take_in_more_models(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    scored = [("a",), ("a",), ("b", "c"), ("b", "c"), ("b",)]
    rows = [
        {"rank": None, "model": {"id": f"m{at}"}, "scores": {key: {"value": 0.5} for key in keys}}
        for at, keys in enumerate(scored)
    ]
    columns = [{"key": key, "unit": "raw"} for key in "abc"]
    board = {"object": "leaderboard", "protocol": "grouped", "columns": columns, "data": rows, "snapshot": None}
    server.on("GET /v1/leaderboard?protocol=grouped&sort=-average", board)
    server.on("GET /v1/benchmarks", {"object": "list", "data": []})
    assert invoke("leaderboard", "--server", server.url) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "0 of 5 models have scores in all 3 columns" in shown
    assert shown.endswith("as --benchmarks b")


def test_an_empty_leaderboard_names_the_filters_that_nothing_passes(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    board = {"object": "leaderboard", "protocol": "grouped", "columns": [], "data": [], "snapshot": None}
    server.on("GET /v1/leaderboard?protocol=grouped&tuning=instruct&params_min=5&sort=-average", board)
    server.on("GET /v1/benchmarks", {"object": "list", "data": []})
    assert invoke("leaderboard", "--tuning", "instruct", "--params-min", "5", "--server", server.url) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "no model with scores passes --tuning instruct --params-min 5" in shown
    assert "no scores yet" not in shown
    assert "--synthetic" in shown
    server.on("GET /v1/leaderboard?protocol=grouped&tuning=base&sort=-average&include_synthetic=true", board)
    assert invoke("leaderboard", "--tuning", "base", "--synthetic", "--server", server.url) == 0
    assert "--synthetic" not in capsys.readouterr().out


def test_a_diff_shows_what_changed_each_model(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = {"benchmark": "b", "cause": "new_score", "before": None, "after": {"score": "s", "raw": 0.25}}
    gpt2 = {"model": "gpt2", "before": None, "after": {"rank": 1, "average": 0.25}, "changes": [cell]}
    moved = {"model": "t5", "before": {"rank": 1, "average": 0.2}, "after": {"rank": 2, "average": 0.2}, "changes": []}
    board = {"object": "leaderboard_diff", "protocol": "grouped", "data": [gpt2, moved], "next_page_token": None}
    asked = "from=2026-01-31T12%3A00%3A00Z&to=2026-02-01T00%3A00%3A00Z&protocol=grouped&benchmarks=b%2Cc"
    server.on(f"GET /v1/leaderboard/diff?{asked}", board)
    times = ("--from", "2026-01-31T12:00:00Z", "--to", "2026-02-01T00:00:00Z")
    arguments = ("leaderboard", "diff", *times, "--benchmarks", "b, c", "--server", server.url)
    assert invoke(*arguments) == 0
    rows = [[cell.strip() for cell in line.split("│")] for line in capsys.readouterr().out.splitlines()]
    assert ["", "gpt2", "– → 1", "– → 0.2500", "b", "– → 0.2500", "new_score", ""] in rows
    assert ["", "t5", "1 → 2", "0.2000", "", "", "scores of others", ""] in rows
    assert invoke(*arguments, "--json") == 0
    assert [one["model"] for one in json.loads(capsys.readouterr().out)] == ["gpt2", "t5"]


def test_a_diff_needs_a_time_to_begin_with(invoke: Invoke) -> None:
    assert invoke("leaderboard", "diff") == 2


def test_snapshots_are_listed(server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    one = {"snapshot": "2026-01-31T12:00:00.5Z", "n_scores": 12, "n_models": 5, "n_benchmarks": 3}
    server.on("GET /v1/leaderboard/snapshots?protocol=grouped", {"data": [one], "next_page_token": None})
    assert invoke("leaderboard", "snapshots", "--server", server.url) == 0
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("2026-01-31T12:00:00.5Z", "12", "5", "3"))


def test_leaderboard_csv_is_untouched(server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    server.on("GET /v1/leaderboard?protocol=grouped&sort=b&format=csv", "rank,model\n1,gpt2\n")
    assert invoke("leaderboard", "--csv", "--sort", "b", "--ascending", "--server", server.url) == 0
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [["rank", "model"], ["1", "gpt2"]]


def test_leaderboard_passes_filters_on_and_shows_who_is_not_surely_worse(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"rank": 2, "rank_interval": [1, 3], "tie_group": 1, "model": {"id": "gpt2"}, "scores": {}}
    board = {"object": "leaderboard", "protocol": "grouped", "columns": [], "data": [row], "snapshot": None}
    asked = "family=gpt2&tuning=base&params_min=1&params_max=9&sort=-parameters&snapshot=2026-01-31T12%3A00%3A00Z"
    server.on(f"GET /v1/leaderboard?protocol=grouped&{asked}", board)
    server.on("GET /v1/benchmarks", {"object": "list", "data": []})
    filters = ("--family", "gpt2", "--tuning", "base", "--params-min", "1", "--params-max", "9")
    order = ("--sort", "parameters", "--snapshot", "2026-01-31T12:00:00Z")
    assert invoke("leaderboard", *filters, *order, "--server", server.url) == 0
    assert "1–3" in capsys.readouterr().out


def test_words_behind_a_score_are_printed_as_csv(
    server: Server, invoke: Invoke, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    server.on("GET /v1/scores/score_1/surprisals?format=csv", "word\r\nné\r\n")
    assert invoke("scores", "surprisals", "score_1", "--server", server.url) == 0
    assert capsysbinary.readouterr().out == "word\r\nné\r\n".encode()


def test_words_behind_a_score_go_to_a_file_of_the_format_that_it_names(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    server.on("GET /v1/scores/score_1/surprisals?format=parquet", "PAR1")
    arguments = ("scores", "surprisals", "score_1", "--server", server.url, "--output")
    assert invoke(*arguments, str(tmp_path / "words.parquet")) == 0
    assert (tmp_path / "words.parquet").read_bytes() == b"PAR1"
    assert invoke(*arguments, str(tmp_path / "words.xlsx")) == 2
    assert ".csv, .parquet" in capsys.readouterr().err
    server.on("GET /v1/scores/score_1/surprisals?format=csv", "word")
    assert invoke(*arguments, str(tmp_path / "nowhere" / "words.csv")) == 2
    assert "cannot be written" in " ".join(capsys.readouterr().err.split())


def test_csv_and_json_exclude_each_other(invoke: Invoke) -> None:
    assert invoke("leaderboard", "--csv", "--json") == 2


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_without_a_key_serve_refuses_to_listen_beyond_this_machine(
    invoke: Invoke, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    assert invoke("serve", "--host", host) == 2
    assert "broca keys create" in " ".join(capsys.readouterr().err.split())


def test_a_key_is_shown_once(invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("keys", "create", "--name", "Ada", "--scope", "read") == 0
    made = capsys.readouterr()
    kind, prefix, secret = made.out.strip().split("_")
    assert (kind, len(secret)) == ("broca", 64)
    assert secret not in made.err
    assert invoke("keys", "list") == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("Ada", f"broca_{prefix}", "read"))
    assert secret not in shown
    assert invoke("keys", "revoke", "key_0") == 2


@pytest.mark.parametrize(
    "arguments", [("--scope", "root", "--name", "x"), ("--scope", "read", "--name", " "), ("--scope", "read")]
)
def test_a_key_needs_a_name_and_a_scope_that_exists(invoke: Invoke, arguments: tuple[str, ...]) -> None:
    assert invoke("keys", "create", *arguments) == 2


def test_keys_of_a_database_without_tables_say_what_to_do(invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("keys", "list") == 1
    assert "broca migrate" in capsys.readouterr().err


def test_serve_says_when_the_port_is_taken(server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("serve", "--port", server.url.rpartition(":")[2]) == 1
    assert "--port 0" in capsys.readouterr().err


def test_serve_gives_no_advice_on_an_address_of_another_machine(
    invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("migrate") == 0
    assert invoke("keys", "create", "--name", "x", "--scope", "read") == 0
    assert invoke("serve", "--host", "192.0.2.1") == 1
    told = capsys.readouterr().err
    assert "cannot listen on 192.0.2.1" in told
    assert "--port 0" not in told


def test_a_malformed_setting_is_named(
    invoke: Invoke, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROCA_PORT", "many")
    assert invoke("serve") == 2
    assert "BROCA_PORT" in capsys.readouterr().err


def test_migrate_makes_the_database_and_may_be_repeated(
    invoke: Invoke, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert invoke("migrate") == 0
    assert invoke("migrate") == 0
    assert (tmp_path / "broca.db").is_file()
    assert capsys.readouterr().out.count("is up to date") == 2


def test_migrate_refuses_another_kind_of_database(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROCA_DATABASE_URL", "mysql://host/name")
    assert invoke("migrate") == 2


def test_data_list_names_licences_and_marks_synthetic_data(invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("data", "list") == 0
    shown = capsys.readouterr().out
    for part in ("natural-stories", "CC BY-NC-SA 4.0", "public address", "only in a mirror", "SYNTHETIC"):
        assert part in shown


def test_data_without_a_public_address_exits_with_1_and_says_what_a_mirror_must_hold(
    invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("data", "get", "pereira2018-example") == 1
    shown = capsys.readouterr()
    assert "licence: CC BY-NC 4.0" in shown.out
    assert "please cite: Pereira" in shown.out
    assert "pereira2018_example/responses.npy" in shown.err


def test_unknown_data_exits_with_2_and_the_nearest_name(invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("data", "get", "natural-storys") == 2
    assert "did you mean natural-stories?" in capsys.readouterr().err


def test_a_score_is_shown_beside_base_models_of_its_perplexity(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"measure": "delta_ll_realigned", "value": 0.021, "expected": 0.015, "difference": 0.006, "low": 0.001}
    answer = {"score": "score_1", "log2_perplexity": 10.5, "reason": None, "data": [{**row, "high": 0.011}]}
    answer["base"] = {"models": [f"m{number}" for number in range(8)], "missing": ["org/nowhere"]}
    server.on("GET /v1/scores/score_1/matched-perplexity?base=a%2Cb", answer)
    assert invoke("scores", "matched", "score_1", "--base", "a, b", "--server", server.url) == 0
    shown = capsys.readouterr()
    for part in ("delta_ll_realigned", "0.02100", "0.01500", "0.00600", "0.00100 … 0.01100", "8 base models"):
        assert part in shown.out
    assert "org/nowhere" in shown.err


def test_a_comparison_that_cannot_be_made_says_why(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    base = {"models": [], "missing": [], "minimum": 8, "log2_perplexity_low": 8.0, "log2_perplexity_high": 9.5}
    answer = {"score": "score_1", "log2_perplexity": 10.5, "reason": "outside_range", "data": [], "base": base}
    server.on("GET /v1/scores/score_1/matched-perplexity", answer)
    assert invoke("scores", "matched", "score_1", "--server", server.url) == 1
    assert "from 8.00 to 9.50 bits" in " ".join(capsys.readouterr().err.split())


def test_models_show_tells_what_a_model_is_and_what_stands_in_its_way(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    server.on("POST /v1/jobs?validate_only=true", PREFLIGHT)
    assert invoke("models", "show", "gpt2", "-b", "demo-fmri", "--server", server.url) == 1
    shown = capsys.readouterr().out
    for part in ("124,439,808", "550.0 MB", "600.0 MB in float32", "[model_too_large]", "start a worker", "no worker"):
        assert part in shown
    assert "options" not in shown, "nothing is known of it"
    server.on("POST /v1/jobs?validate_only=true", {**PREFLIGHT, "ok": True, "checks": []})
    assert invoke("models", "show", "gpt2", "--json", "--server", server.url) == 0
    assert json.loads(capsys.readouterr().out)["model"]["n_layers"] == 12


def test_models_show_leaves_out_of_a_local_model_what_the_hub_alone_knows(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    local = {**PREFLIGHT["model"], "id": "local/mine", "revision": None, "download_bytes": 0}
    server.on("POST /v1/jobs?validate_only=true", {**PREFLIGHT, "ok": True, "checks": [], "model": local})
    assert invoke("models", "show", "local/mine", "--server", server.url) == 0
    shown = capsys.readouterr().out
    assert "124,439,808" in shown
    assert "revision" not in shown
    assert "download" not in shown


def test_a_hint_names_the_command_in_place_of_the_call(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    server.on("GET /v1/jobs/job_9", {**PROBLEM, "hint": "GET /v1/jobs lists the jobs"}, status=404)
    assert invoke("jobs", "show", "job_9", "--server", server.url) == 2
    assert "hint: `broca jobs` lists the jobs" in capsys.readouterr().err


def test_analyse_shows_its_table_its_source_and_what_limits_it(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    server.on("POST /v1/analyses", ANALYSIS, status=201)
    chosen = ("--family", "t5, llama", "--tuning", "instruct", "--params-min", "1000", "--properties", "mmlu")
    assert invoke("analyse", "correlate", *chosen, "--held", "", "--server", server.url) == 0
    shown = capsys.readouterr().out
    for part in ("correlate under published-2312.00575, 17 models", "0.9457", "–", "few_bases", "tables 3, 4, 5, 7, 9"):
        assert part in shown
    body = server.requests[0][1]
    assert body["filters"] == {"family": ["t5", "llama"], "tuning": ["instruct"], "params_min": 1000}
    assert (body["properties"], body["held"]) == (["mmlu"], [])


def test_analyse_gives_csv_as_the_server_writes_it(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    server.on("POST /v1/analyses", ANALYSIS, status=201)
    server.on("GET /v1/analyses/analysis_1?format=csv", "benchmark,r\naverage,0.9\n")
    assert invoke("analyse", "correlate", "--csv", "--server", server.url) == 0
    assert capsys.readouterr().out == "benchmark,r\naverage,0.9\n"
    assert invoke("analyse", "correlate", "--csv", "--json") == 2


def test_charts_are_written_as_their_endings_say(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    server.on("POST /v1/analyses", ANALYSIS, status=201)
    server.on("GET /v1/analyses/analysis_1/chart.svg?theme=dark&form=bars", "<svg>bars</svg>")
    server.on(
        "GET /v1/pairs?protocol=grouped&against=furthest&layers=false",
        {"object": "list", "data": [], "next_page_token": None},
    )
    server.on("GET /v1/pairs/chart.png?protocol=grouped&against=furthest&theme=light", "a picture")
    server.on("GET /v1/scores/score_1/chart.vl.json?theme=light", "{}")
    bars, slopes, curve = tmp_path / "bars.svg", tmp_path / "slopes.PNG", tmp_path / "curve.vl.json"
    to = ("--server", server.url)
    assert invoke("analyse", "correlate", "--chart", str(bars), "--theme", "dark", "--form", "bars", *to) == 0
    assert invoke("pairs", "--chart", str(slopes), *to) == 0
    assert invoke("scores", "chart", "score_1", "-o", str(curve), *to) == 0
    assert [file.read_text() for file in (bars, slopes, curve)] == ["<svg>bars</svg>", "a picture", "{}"]
    assert invoke("pairs", "--chart", str(tmp_path / "slopes.gif"), *to) == 2
    assert "known endings: .vl.json, .svg, .png" in capsys.readouterr().err


def test_analyse_says_what_all_pairs_together_say(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    counted = [{"n": n, "n_up": n_up, "test": {"p": p}} for n, n_up, p in ((17, 16, 0.0000916), (8, 8, 0.0078125))]
    effect = {"mean_difference": 0.0185, "mean_percent": 6.993, "over_pairs": counted[0], "over_bases": counted[1]}
    without = {**effect, "mean_percent": None}
    result = {"effects": {"pereira2018": effect, "odd": without}}
    server.on("POST /v1/analyses", {**ANALYSIS, "kind": "paired", "result": result}, status=201)
    assert invoke("analyse", "paired", "--server", server.url) == 0
    shown = " ".join(capsys.readouterr().out.split())
    expected = "+0.0185 (+6.99 %); pairs: 16 of 17 up, p 9.2e-05; bases: 8 of 8 up, p 0.0078"
    assert f"pereira2018: {expected}" in shown
    assert "odd: +0.0185; pairs" in shown
