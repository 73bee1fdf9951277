"""Every kind of schedule; importing this package registers them all."""

from importlib import import_module
from pkgutil import iter_modules

import faults

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
# The cluster's kinds lie beside the package: faults/cluster_kinds.py, or any faults/cluster*.py that registers some.
for _module in iter_modules(faults.__path__):
    if _module.name.startswith("cluster"):
        import_module(f"faults.{_module.name}")
