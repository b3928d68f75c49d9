"""The leaderboard is ready before anybody asks for it: when a server has started, and after a change."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from api.board_keeper import LOOK_S, BoardKeeper, rest_s
from api.settings import ApiSettings
from storage.engine import Database
from tests.integration.test_board_cache import add_score


@pytest.fixture
def app(database: Database, database_url: str, tmp_path: Path) -> FastAPI:
    return create_app(ApiSettings(data_dir=tmp_path / "data", database_url=database_url, data_mirror=None))


def refuse(patch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise AssertionError("written while somebody waits")

    patch.setattr("api.pages.board.render", broken)


def test_the_first_reader_of_a_server_waits_for_no_page(
    app: FastAPI, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.board_cache.UNSETTLED_S", 60.0)
    add_score(database, "org/first")
    with TestClient(app) as client:
        refuse(monkeypatch)
        assert "org/first" in client.get("/").text


def test_the_first_reader_after_a_change_waits_for_no_page(
    app: FastAPI, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.board_cache.UNSETTLED_S", 60.0)
    monkeypatch.setattr("api.board_keeper.LOOK_S", 600.0)
    with TestClient(app) as client:
        assert "org/later" not in client.get("/").text
        add_score(database, "org/later")
        BoardKeeper(app.state).look()
        refuse(monkeypatch)
        assert "org/later" in client.get("/").text


def test_a_board_that_is_as_it_was_is_not_made_ready_again(
    app: FastAPI, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = []
    monkeypatch.setattr("api.board_keeper.board.write_ahead", lambda *_: times.append(1))
    monkeypatch.setattr("storage.board_marks.SETTLING", timedelta(seconds=-1))
    monkeypatch.setattr("api.board_keeper.LOOK_S", 600.0)
    add_score(database, "org/model")
    with TestClient(app):
        keeper = BoardKeeper(app.state)
        n_before = len(times)
        keeper.look()
        keeper.look()
        assert len(times) == n_before + 1
        add_score(database, "org/other")
        keeper.look()
        assert len(times) == n_before + 2


def test_a_server_starts_where_the_board_cannot_be_made_ready(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("no board")

    monkeypatch.setattr("api.board_keeper.board.write_ahead", broken)
    with TestClient(app) as client:
        assert client.get("/v1/leaderboard").json()["data"] == []
    assert "could not be made ready" in caplog.text


def test_a_board_that_costs_more_is_looked_at_less_often() -> None:
    assert rest_s(0.1) == LOOK_S
    assert rest_s(3.0) == 27.0
