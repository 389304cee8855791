"""Runs the component under the engine of Wasmtime, as the PyPI package has it.

runtime.py COMPONENT run               MCP on standard input and output, as `wasmtime run -S http` does it
runtime.py COMPONENT call NAME JSON    calls a tool by the contract's functions, as a host does that knows them
"""

import json
import os
import sys

from wasmtime import Config, Engine, Store, WasiConfig
from wasmtime import _ffi as ffi
from wasmtime.component import Component, Linker


def instance(path):
    """The component, linked to WASI and wasi:http and nothing else, with our variables as its environment."""
    config = Config()
    config.wasm_component_model = True
    engine = Engine(config)
    component = Component.from_file(engine, path)
    linker = Linker(engine)
    linker.add_wasip2()
    linker.add_wasi_http()
    store = Store(engine)
    wasi = WasiConfig()
    wasi.env = [(name, value) for name, value in os.environ.items() if name.startswith("PROXMOX_")]
    wasi.inherit_stdin()
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    store.set_wasi(wasi)
    ffi.wasmtime_context_set_wasi_http(store._context())
    return store, component, linker.instantiate(store, component)


def run(store, component, started):
    interface = component.get_export_index("wasi:cli/run@0.2.2") or component.get_export_index("wasi:cli/run@0.2.6")
    function = started.get_func(store, component.get_export_index("run", interface))
    result = function(store)
    return 0 if not failed(result) else 1


def failed(result):
    """Whether a `result` without values is an error."""
    return getattr(result, "tag", "ok") == "err"


def call(store, started, name, arguments):
    tools = started.get_func(store, "list-tools")
    listed = [tool.name for tool in tools(store)]
    assert name in listed, f"{name} is not among {listed}"
    function = started.get_func(store, "call-tool")
    print(json.dumps({"tools": len(listed), "outcome": plain(function(store, name, arguments))}))
    return 0


def plain(value):
    """A value of the component as JSON can hold it."""
    if hasattr(value, "tag"):
        return {value.tag: plain(value.payload)}
    if hasattr(value, "__dict__"):
        return {name: plain(part) for name, part in vars(value).items()}
    return value


if __name__ == "__main__":
    path, what, *rest = sys.argv[1:]
    store, component, started = instance(path)
    sys.exit(run(store, component, started) if what == "run" else call(store, started, *rest))
