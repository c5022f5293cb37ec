/** What stands where a secret stood. */
const MASK = '***';

/** Header names that carry credentials whatever their spelling says. */
const SECRET_NAMES = new Set(['authorization', 'proxy-authorization', 'cookie']);

const SECRET_WORDS = /key|token|secret|auth|password|signature/i;

/** `scheme://user:password@` in any text. */
const USERINFO = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#@]*@/gi;

/** `?api_key=…` in any text. */
const SECRET_PARAMETER = /([?&][^\s=&#]*(?:key|token|secret|auth|password|signature)[^\s=&#]*=)[^\s&#'"]+/gi;

/** Shorter strings occur by chance; masking them would only garble messages. */
const SHORTEST_SECRET = 4;

/** Whether a header or field of this name is to be kept out of messages, and off other origins. */
export function looksSecret(name: string): boolean {
  return SECRET_NAMES.has(name.toLowerCase()) || SECRET_WORDS.test(name);
}

/** Knows the secrets of one run and takes them out of any text; every sink for people or reports goes through it. */
export interface Redactor {
  /** Remembers a value that must not be shown. */
  add(secret: string): void;
  /** The text with known secrets, userinfo of URLs and secret-looking query values masked. */
  redact(text: string): string;
}

/** A {@link Redactor}; with `show` it lets everything through (`--show-secrets`). */
export function createRedactor(show: boolean): Redactor {
  let secrets: string[] = [];
  return {
    add(secret) {
      if (secret.length < SHORTEST_SECRET || secrets.includes(secret)) return;
      // Longest first, so that a secret that contains another is masked whole.
      secrets = [...secrets, secret].sort((a, b) => b.length - a.length);
    },
    redact(text) {
      if (show) return text;
      let masked = text;
      for (const secret of secrets) masked = masked.replaceAll(secret, MASK);
      return masked.replace(USERINFO, `$1${MASK}@`).replace(SECRET_PARAMETER, `$1${MASK}`);
    },
  };
}
