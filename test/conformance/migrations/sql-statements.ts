/** Where a quoted text, a comment or a function's body begins, and what ends it; null elsewhere. */
function quotedEnd(sql: string, at: number): number | null {
  const rest = sql.slice(at);
  const comment = /^--[^\n]*/.exec(rest)?.[0];
  if (comment !== undefined) return at + comment.length;
  const tag = /^\$\w*\$/.exec(rest)?.[0];
  if (tag !== undefined) return closing(sql, at + tag.length, tag);
  return rest.startsWith("'") ? closing(sql, at + 1, "'") : null;
}

function closing(sql: string, from: number, mark: string): number {
  const found = sql.indexOf(mark, from);
  if (found < 0) throw new Error(`Nothing ends what begins at ${sql.slice(Math.max(0, from - 20), from + 20)}`);
  return found + mark.length;
}

/**
 * The statements of a migration, without comments, function bodies as `$$`, texts as `''`, white space as single blanks. Knows
 * as much SQL as migrations have: no block comments, no quoted names. Pure.
 */
export function statementsOf(sql: string): string[] {
  const statements: string[] = [];
  let words = '';
  for (let at = 0; at < sql.length; ) {
    const end = quotedEnd(sql, at);
    if (end !== null) {
      words += { "'": "''", $: '$$' }[sql.charAt(at)] ?? ' ';
      at = end;
    } else {
      const char = sql.charAt(at);
      if (char === ';') statements.push(words);
      words = char === ';' ? '' : words + char;
      at += 1;
    }
  }
  return [...statements, words].map((text) => text.replaceAll(/\s+/g, ' ').trim()).filter((text) => text !== '');
}

/** Parts of a text between commas that stand outside of brackets. Pure. */
export function topLevelParts(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const char of text) {
    depth += Number(char === '(') - Number(char === ')');
    if (char === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts.map((part) => part.trim());
}
