// Devices: the microphone and the loudspeaker, and what to tell when there is none.

import { CallError } from "./errors.js";

const REASONS = {
  NotAllowedError: "mic_denied",
  SecurityError: "mic_denied",
  NotFoundError: "mic_missing",
  OverconstrainedError: "mic_missing",
  NotReadableError: "mic_busy",
  AbortError: "mic_busy",
};

/** Open a microphone. Throws a `CallError` that says what to do. */
export async function openMicrophone(device = "") {
  // Browsers hide it where a page did not come safely: over plain HTTP from another machine.
  if (!navigator.mediaDevices?.getUserMedia) throw new CallError("insecure");
  const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: device ? { ...audio, deviceId: { exact: device } } : audio });
  } catch (error) {
    // The one that was chosen last time may be unplugged: any other will do.
    if (device && error.name === "OverconstrainedError") return openMicrophone();
    throw new CallError(REASONS[error.name] ?? "mic_busy", { detail: error.message });
  }
}

/** A microphone that hears nothing, for those who type. */
export function silentMicrophone(context) {
  return context.createMediaStreamDestination().stream;
}

/** `{inputs, outputs}`: [[id, label], …]; labels are empty until the microphone was allowed. */
export async function list() {
  const found = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const of = (kind) => found.filter((each) => each.kind === kind && each.deviceId).map((each) => [each.deviceId, each.label]);
  return { inputs: of("audioinput"), outputs: of("audiooutput") };
}

/** Whether the user was asked before: "granted", "denied" or "prompt". */
export async function permission() {
  try {
    return (await navigator.permissions.query({ name: "microphone" })).state;
  } catch {
    return "prompt"; // a browser that does not tell
  }
}

/** Whether a loudspeaker can be chosen here. */
export const canChooseOutput = () => "setSinkId" in HTMLMediaElement.prototype;

/** Stop a stream's devices. */
export function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
