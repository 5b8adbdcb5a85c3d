"""Bindings of ports, where authors look for them; they are declared beside the graph."""

from __future__ import annotations

from scriptstep.graph import InputPortBinding, OutputPortBinding

__all__ = ["InputPortBinding", "OutputPortBinding"]
