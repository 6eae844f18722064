"""The module's log file."""

from . import log


class Logger:
    def info(self, line):
        log(line)

    def error(self, line):
        log(line)


def init_logging(_):
    pass


def get_logger(_):
    return Logger()
