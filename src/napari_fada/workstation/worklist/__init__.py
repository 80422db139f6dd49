"""The worklist's dock widget: table, filters, background work on the list, menu."""
