"""Mistakes: the errors that are a user's, and end in one line."""

from __future__ import annotations

MISTAKES = {
    "vivavoce.agent.definition.AgentError",
    "vivavoce.agent.interpreter.InterpreterError",
    "vivavoce.agent.languages.LanguageError",
    "vivavoce.agent.options.OptionError",
    "vivavoce.agent.settings.SettingsError",
    "vivavoce.agent.testing.replay.RecordError",
    "vivavoce.agent.voices.VoiceError",
    "vivavoce.cli.bench.BenchError",
    "vivavoce.cli.interpret.GlossaryError",
    "vivavoce.cli.load.LoadError",
    "vivavoce.cli.models.SandboxMissingError",
    "vivavoce.cli.new.ProjectError",
    "vivavoce.cli.parcel.ParcelError",
    "vivavoce.cli.ray_link.ClusterError",
    "vivavoce.cli.recordings.RecordingError",
    "vivavoce.cli.say.SayError",
    "vivavoce.cli.serve.ServeError",
    "vivavoce.pipelines.audio.riff.AudioFileError",
    "vivavoce.pipelines.benching.clip.ClipError",
    "vivavoce.pipelines.benching.plan.PlanError",
    "vivavoce.pipelines.echo.EchoMissingError",
    "vivavoce.pipelines.interpret.downloads.DownloadError",
    "vivavoce.pipelines.microphone.MicrophoneError",
    "vivavoce.pipelines.models.consent.ConsentError",
    "vivavoce.pipelines.models.questions.QuestionError",
    "vivavoce.pipelines.models.sample.SampleError",
    "vivavoce.pipelines.models.transcription.options.RefusedError",
    "vivavoce.pipelines.models.providers.DialectError",
    "vivavoce.pipelines.observing.traces.TracesError",
    "vivavoce.tools.schema.DefinitionError",
    "vivavoce.web.cluster.fleet.LaunchError",
    "vivavoce.web.exposure.ExposureError",
    "vivavoce.web.records.RecordsError",
    "vivavoce.web.story.ReportError",
}
"""The errors whose message tells a user what to do, in one line. They stand here by name, because
importing them all would take longer than most mistakes take to be found."""


def is_mistake(error: BaseException) -> bool:
    """Whether an error is a user's mistake, or of a kind of those."""
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return not names.isdisjoint(MISTAKES)
