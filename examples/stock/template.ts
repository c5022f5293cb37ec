/** Makes a function of a text with slots, `{% name %}`: it puts values, already HTML, into them. */
export function createTemplate(text: string): (values: Readonly<Record<string, string>>) => string {
  const parts = text.split(/\{%\s*(\w+)\s*%\}/);
  return (values) => parts.map((part, at) => (at % 2 === 0 ? part : (values[part] ?? ''))).join('');
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text as HTML that shows it. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
