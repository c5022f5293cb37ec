/** How a column stands. */
export type Align = 'left' | 'right';

/** Rows of cells as lines of aligned columns, two spaces apart; the last column is not padded. */
export function formatTable(rows: ReadonlyArray<readonly string[]>, align: readonly Align[]): string[] {
  const widths = align.map((_, column) => Math.max(...rows.map((row) => visibleLength(row[column] ?? ''))));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const gap = ' '.repeat((widths[column] ?? 0) - visibleLength(cell));
        return align[column] === 'right' ? `${gap}${cell}` : `${cell}${gap}`;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Colours take no room. */
function visibleLength(text: string): number {
  return text.replace(/\u001b\[[\d;]*m/g, '').length;
}
