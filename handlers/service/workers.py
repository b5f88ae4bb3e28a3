"""The parent of several workers: it starts and watches them, replaces those that die or hang, and ends them all.

Uvicorn's supervisor waits for one worker at a time. While a worker starts or hangs, it misses signals and the death of
other workers for up to `timeout_worker_healthcheck`, and it waits without limit for a worker to end. A subclass would
have to override nearly all of it, so this module replaces it, and never waits for a single worker.
"""

import logging
import os
import signal
import sys
import time
from contextlib import suppress
from multiprocessing import Pipe, get_context
from multiprocessing.connection import wait
from socket import socket

from uvicorn.config import STARTUP_FAILURE

from handlers.service import worker
from handlers.service.stopping import END, refuse_connections, report_delay

_TURN_SECONDS = 0.1
# On a busy processor, a worker that replaces another takes many seconds to start.
_MOST_SILENT_SECONDS = 30.0
# After the delay. A worker answers its last request after six. The README promises that all end within nine, in which
# this process must also stop serving metrics, and `docker stop` kills after ten.
_STOP_SECONDS = 7.5
# Without a pause, workers that fail as they start would use all processors and fill the log.
_PAUSE_SECONDS = 0.5
_SPAWN = get_context("spawn")
_logger = logging.getLogger(__name__)


class _Worker:
    """A worker process, and the pipe on which it reports every second that it serves."""

    def __init__(self, listeners: list[socket]) -> None:
        """Start the process. Raises OSError if the system lacks descriptors, processes or memory for it."""
        self._reports, theirs = Pipe(duplex=False)
        os.set_blocking(self._reports.fileno(), False)
        self.process = _SPAWN.Process(target=worker.serve, args=(listeners, theirs))
        with theirs:
            self._start()
        self.serves = False
        self.killed = False
        self.silent_seconds = 0.0

    def _start(self) -> None:
        """Start the process, in which SIGHUP is blocked from the first moment to the last.

        A terminal that closes sends it to the whole process group, and would end all workers, with their requests.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])

    def hear(self, seconds: float) -> None:
        """Read what the worker has reported in the last so many seconds."""
        self.silent_seconds += seconds
        with suppress(BlockingIOError):
            if os.read(self._reports.fileno(), 4096):
                self.serves, self.silent_seconds = True, 0.0

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self.process.is_alive():
            os.kill(self.process.pid or 0, number)


class Workers:
    """The workers of a service, which share the sockets that they listen on."""

    def __init__(self, count: int, listeners: list[socket], delay: float) -> None:
        """`delay` is how many seconds all workers go on after they have been asked to end."""
        self._count = count
        self._listeners = listeners
        self._delay = delay
        self._workers: list[_Worker] = []
        # Of those, the ones that SIGHUP has marked for replacement.
        self._outdated: list[_Worker] = []
        # Those that were asked to end, with the time (monotonic) at which they are killed.
        self._ending: dict[_Worker, float] = {}
        # How often this process was asked to stop.
        self._stops = 0
        self._status = 0
        self._looked = self._pause_until = time.monotonic()

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM; SIGHUP replaces all workers. Raises SystemExit if a worker cannot start."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._renew)
        try:
            self._serve()
            self._end_all()
        finally:
            # An exception may have left workers, and at its exit Python would wait for them without limit.
            for one in (*self._workers, *self._ending):
                one.process.kill()
        if self._status:
            sys.exit(self._status)

    def _serve(self) -> None:
        while not self._stops:
            self._start_up_to(self._count)
            self._watch()
            self._replace_outdated()

    def _end_all(self) -> None:
        self._wait_for_delay()
        refuse_connections(self._listeners)
        for listener in self._listeners:
            listener.close()
        for one in self._ending:
            self._end(one, END)
        while self._ending:
            self._watch()

    def _stop(self, *_: object) -> None:
        self._stops += 1

    def _wait_for_delay(self) -> None:
        """Ask all workers to end after the delay, and wait until then or until a second signal."""
        report_delay(self._delay)
        until = time.monotonic() + self._delay
        for one in self._workers.copy():
            self._end(one, signal.SIGTERM, self._delay)
        while self._ending and self._stops < 2 and time.monotonic() < until:
            self._watch()

    def _renew(self, *_: object) -> None:
        self._outdated = self._workers.copy()

    def _start_up_to(self, count: int) -> None:
        """Start workers until there are so many, except during the pause that follows a failed start."""
        while len(self._workers) < count and time.monotonic() >= self._pause_until:
            try:
                self._workers.append(_Worker(self._listeners))
            except OSError as error:
                _logger.warning("Cannot start a worker: %s.", error.strerror)
                self._pause_until = time.monotonic() + _PAUSE_SECONDS

    def _watch(self) -> None:
        """Wait briefly, or until a worker ends; remove workers that have ended, and kill those that hang."""
        everyone = [*self._workers, *self._ending]
        wait([one.process.sentinel for one in everyone], _TURN_SECONDS)
        now = time.monotonic()
        # Time during which this process was suspended does not count: its workers probably were suspended too.
        elapsed = min(now - self._looked, 1.0)
        self._looked = now
        for one in everyone:
            one.hear(elapsed)
            if not one.process.is_alive():
                self._bury(one)
            elif not one.killed and (now > self._ending.get(one, now) or one.silent_seconds > _MOST_SILENT_SECONDS):
                # It may take a while to end, for example if it waits for a disk.
                one.killed = True
                _logger.error("Worker %s hangs, and is killed.", one.process.pid)
                one.process.kill()

    def _bury(self, one: _Worker) -> None:
        """Remove a worker that has ended, and report it unless this process asked it to end."""
        if self._ending.pop(one, None) is not None:
            return
        self._forget(one)
        if self._stops:
            # The whole process group may have got the signal, and the worker may not have been serving yet.
            return
        _logger.error("Worker %s ended unexpectedly, with exit status %s.", one.process.pid, one.process.exitcode)
        if not one.serves:
            self._pause_until = time.monotonic() + _PAUSE_SECONDS
        if self._outdated and not one.serves:
            _logger.error("The new worker did not start: the others are kept.")
            self._outdated.clear()
        elif one.process.exitcode == STARTUP_FAILURE:
            self._status = STARTUP_FAILURE
            self._stops += 1

    def _replace_outdated(self) -> None:
        """Start one additional worker, or, once all workers serve, end the outdated worker that it replaces."""
        if not self._outdated or self._ending or not all(one.serves for one in self._workers):
            return
        if len(self._workers) > self._count:
            self._end(self._outdated[0], END)
        else:
            self._start_up_to(self._count + 1)

    def _end(self, one: _Worker, number: signal.Signals, delay: float = 0) -> None:
        self._forget(one)
        self._ending[one] = time.monotonic() + delay + _STOP_SECONDS
        one.send(number)

    def _forget(self, one: _Worker) -> None:
        for workers in (self._workers, self._outdated):
            if one in workers:
                workers.remove(one)
