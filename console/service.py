"""The service with the console mounted in it: what `creditloop serve` starts unless [console] enabled is false."""

from __future__ import annotations

from console.application import Console
from console.files import FILE
from serving import service

PATH = "/console"

_console = Console(PATH, service.running)
service.mount(PATH, _console, _console.close)
service.offer(FILE)
Creditloop = service.Creditloop
