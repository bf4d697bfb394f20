"""S19 against the running studio: many streams, many calls, slow clients; the page goes on answering and nothing grows without bound."""

import http.client
import json
import os
import socket
import threading
import time

import psutil

from tests.ui.running import HOST

STREAMS = 300


def open_stream(running, number):
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    connection.request("GET", f"/gradio_api/heartbeat/load{number}", headers={"host": HOST} | running.cookie)
    assert connection.getresponse().status == 200
    return connection


def slow_client(running):
    """Says it will send a form and lets it drip."""
    connection = socket.create_connection(("127.0.0.1", running.port), timeout=60)
    connection.sendall(f"POST /login HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 2000\r\n\r\ntoken=".encode())
    return connection


def test_three_hundred_open_streams_and_slow_clients_leave_the_page_answering(running):
    process = psutil.Process(os.getpid())
    before, threads = process.memory_info().rss, threading.active_count()
    streams = [open_stream(running, number) for number in range(STREAMS)]
    slow = [slow_client(running) for _ in range(50)]
    for connection in slow:
        connection.sendall(b"x")
    began = time.monotonic()
    assert running.ask("GET", "/healthz").status == 200 and running.ask_as_owner("GET", "/config").status == 200
    assert time.monotonic() - began < 10
    assert process.memory_info().rss - before < 300 << 20 and threading.active_count() - threads < 60
    for connection in (*streams, *slow):
        connection.close()
    deadline = time.monotonic() + 30
    while len(running.server._server.server_state.connections) > 5 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(running.server._server.server_state.connections) <= 5


def test_more_calls_at_once_than_the_queue_holds_leave_the_page_answering(running):
    """The queue holds 200; what is more is refused, not kept."""
    answers, index = [], next(d["id"] for d in running.config()["dependencies"] if d["queue"] is not False and not d["inputs"])

    def call(start):
        for number in range(start, start + 11):
            body = json.dumps({"fn_index": index, "data": [], "session_hash": f"flood{number % 8}"}).encode()
            answers.append(running.ask_as_owner("POST", "/gradio_api/queue/join", {"content-type": "application/json"}, body, timeout=60).status)

    threads = [threading.Thread(target=call, args=(start,)) for start in range(0, 220, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 220 and set(answers) <= {200, 429, 503}
    assert running.ask_as_owner("GET", "/config").status == 200
