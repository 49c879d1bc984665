// What is kept, in words.

import { t } from "./words.js";

/** What the server keeps of a call, for how long, and who deletes it. */
export function kept(records, recording) {
  if (!records) return t(recording ? "setup.recorded" : "setup.nothing");
  const what = t(records.sound ? "setup.soundAndWords" : "setup.wordsOnly");
  if (!records.days) return `${what} ${t("setup.keptOn")}`;
  const short = records.days < 2;
  const count = Math.max(1, Math.round(short ? records.days * 24 : records.days));
  return `${what} ${short ? t("setup.keptHours", { count }) : t("setup.keptDays", { count })}`;
}
