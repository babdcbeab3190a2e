import { PROVIDER_REASONS, REASONS, type ReasonEntry } from '@partyline/domain/reasons';

const START = '<!-- reasons: written by npm run openapi -w apps/room-api -->';
const END = '<!-- end of reasons -->';
const MAX_COLUMNS = 120;

/** Breaks a list item into lines, as Prettier does. */
function wrapItem(text: string): string {
  const lines: string[] = [];
  let line = '-';
  // Inline code is not broken.
  for (const [word] of text.matchAll(/(?:`[^`]*`|[^\s`])+/g)) {
    if (line.length + 1 + word.length > MAX_COLUMNS) {
      lines.push(line);
      line = ' ';
    }
    line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}

/** The reasons that tenants and operators can receive, grouped by HTTP status, as Markdown. */
function writeReasonList(): string {
  const items = new Map<string, string[]>();
  const add = (statuses: string, reason: string, { meaning, action }: Pick<ReasonEntry, 'meaning' | 'action'>) => {
    const list = items.get(statuses) ?? [];
    list.push(wrapItem(`\`${reason}\`: ${meaning} ${action}`));
    items.set(statuses, list);
  };
  const entries = Object.entries(REASONS) as [string, ReasonEntry][];
  for (const [reason, entry] of entries.toSorted(([, a], [, b]) => a.status - b.status))
    if (entry.audience === undefined) add(String(entry.status), reason, entry);
  const { pattern, meanings, action } = PROVIDER_REASONS;
  for (const [status, meaning] of Object.entries(meanings)) add(status, pattern, { meaning, action });
  return [...items]
    .toSorted(([a], [b]) => Number(a) - Number(b))
    .map(([status, list]) => `**${status}**\n\n${list.join('\n')}`)
    .join('\n\n');
}

/**
 * docs/api.md with the current list of reasons between its markers. Throws if a marker is missing.
 */
export function insertReasonList(markdown: string): string {
  const [before, rest] = markdown.split(START);
  const [, after] = (rest ?? '').split(END);
  if (before === undefined || after === undefined) throw new Error(`docs/api.md needs the lines ${START} and ${END}`);
  return `${before}${START}\n\n${writeReasonList()}\n\n${END}${after}`;
}
