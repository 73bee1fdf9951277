"""The weekly broadcast (周播报): from lines of events to a report in two languages, and the report's audit of itself."""
