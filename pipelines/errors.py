"""Every error Fraudlake raises on purpose, in one tree.

::

    FraudlakeError
    ├── TerminalError            stop, or dead-letter: trying again cannot help
    │   ├── SettingsError        a setting is missing or wrong
    │   ├── ContractFault        a record breaks its contract (see ``pipelines.contracts``)
    │   ├── RulesetError         a rule file has faults; each with file and line
    │   ├── FeaturesError        the feature declaration has faults
    │   ├── MappingError         a replay mapping has faults
    │   ├── StackError           a local server cannot be started or has died
    │   ├── JobError             the Flink job cannot be planned, submitted or stopped
    │   └── SinkError            a sink refuses to go on rather than guess
    │       └── NoTablesError    nothing has been stored yet, so that nothing can be read or kept
    └── TransientError           worth another try: the other side is away or busy
        └── FilesReplacedError   upkeep was faster than a question (see ``sinks.lakehouse.query``)

A message says what, which, what is allowed, and what to do next.
"""

from __future__ import annotations


class FraudlakeError(Exception):
    """Base of all errors that are shown to a person as one sentence, without a traceback."""


class TerminalError(FraudlakeError):
    """Trying again cannot help."""


class TransientError(FraudlakeError):
    """Worth another try: the other side is away or busy."""


class SettingsError(TerminalError):
    """A setting is missing or wrong; lists every fault found."""


class RulesetError(TerminalError):
    """A rule file has faults; lists each with file, line, what is allowed and a suggestion."""


class FeaturesError(TerminalError):
    """The feature declaration has faults."""


class MappingError(TerminalError):
    """A replay mapping has faults."""


class StackError(TerminalError):
    """A local server cannot be started, or has died."""


class JobError(TerminalError):
    """The Flink job cannot be planned, submitted or stopped."""


class SinkError(TerminalError):
    """A sink refuses to go on rather than guess."""


class NoTablesError(SinkError):
    """The lakehouse has no tables yet."""
