"""The service with the console mounted in it: what `creditloop serve` starts unless [console] enabled is false."""

from __future__ import annotations

from console.application import Console
from serving import service

PATH = "/console"

service.mount(PATH, Console(PATH, service.running))
Creditloop = service.Creditloop
