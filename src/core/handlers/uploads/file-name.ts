/** Names Windows keeps for devices, whatever their extension. */
const RESERVED = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)/i;

/** Separators, what Windows forbids, controls, and marks that make a name look like another. */
const FORBIDDEN =
  /[/\\:*?"<>|\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffd\ud800-\udfff]/gu;

/** The most bytes a name may have on the usual file systems. */
const MOST_BYTES = 255;

/**
 * A file name someone sent as one that is harmless on every system: the part behind the last separator, without
 * forbidden characters, leading dots, trailing dots and blanks, and no device. Empty when nothing is left of it.
 */
export function cleanFileName(sent: string): string {
  const own = sent.normalize('NFC').split(/[/\\]/).at(-1) as string;
  const plain = own.replace(FORBIDDEN, '').replace(/^[. ]+|[. ]+$/g, '');
  return shorten(RESERVED.test(plain) ? `_${plain}` : plain);
}

/** Whether a name in a URL may be written as it is; another one than asked for is never taken instead. */
export function isCleanFileName(name: string): boolean {
  return name !== '' && cleanFileName(name) === name.normalize('NFC');
}

/** Cut in the middle, so that the extension stays. */
function shorten(name: string): string {
  if (Buffer.byteLength(name) <= MOST_BYTES) return name;
  const extension = /\.[^.]{1,16}$/.exec(name)?.[0] ?? '';
  const stem = [...name.slice(0, name.length - extension.length)];
  while (Buffer.byteLength(stem.join('') + extension) > MOST_BYTES) stem.pop();
  return stem.join('') + extension;
}
