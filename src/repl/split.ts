/** What has been typed so far: the statements that are whole, each without its semicolon, and what is not whole yet. */
export interface Split {
  readonly whole: readonly string[];
  readonly rest: string;
}

/** Quotes that hold a semicolon, and what ends them; a quote that is doubled begins anew and so needs no word here. */
const ENDS: Readonly<Record<string, string>> = { "'": "'", '"': '"', '`': '`', '--': '\n', '/*': '*/' };

/** Cuts a text at the semicolons that end statements. */
export function splitStatements(text: string): Split {
  const whole: string[] = [];
  let from = 0;
  for (let at = 0; at < text.length;) {
    const opening = /^(?:--|\/\*|['"`])/.exec(text.slice(at, at + 2))?.[0];
    const dollar = text[at] === '$' ? /^\$\w*\$/.exec(text.slice(at))?.[0] : undefined;
    const end = dollar ?? (opening === undefined ? undefined : ENDS[opening]);
    if (end !== undefined) {
      const begun = at + (dollar ?? opening ?? '').length;
      const ended = text.indexOf(end, begun);
      // A comment to the end of a line may end with the text.
      at = ended === -1 ? text.length : ended + end.length;
      continue;
    }
    if (text[at] === ';') {
      whole.push(text.slice(from, at));
      from = at + 1;
    }
    at++;
  }
  return { whole: whole.filter((statement) => !isBlank(statement)), rest: text.slice(from) };
}

/** Whether there is nothing in it but spaces and comments. */
export const isBlank = (text: string): boolean => text.replaceAll(/--[^\n]*|\/\*[\s\S]*?\*\//g, '').trim() === '';
