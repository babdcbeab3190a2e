/**
 * A state machine as a table: for each state, what each event does. What a cell does not name is ignored, because every webhook and
 * job comes twice, late or out of order, and that must be ordinary. A `reject` cell names an event that whoever sent it must be told about.
 */
export interface Machine<State extends string, Event extends string, Effect extends string> {
  readonly name: string;
  readonly initial: State;
  readonly terminal: readonly State[];
  readonly table: { readonly [S in State]: { readonly [E in Event]?: Cell<State, Effect> } };
}

/** `why` is the sentence on the arrow in the drawn diagram. */
export type Cell<State extends string, Effect extends string> =
  | { readonly next: State; readonly effects: readonly Effect[]; readonly why: string }
  | { readonly reject: string };

export type Outcome<State extends string, Effect extends string> =
  | { readonly kind: 'moved'; readonly next: State; readonly effects: readonly Effect[] }
  | { readonly kind: 'ignored' }
  | { readonly kind: 'rejected'; readonly reason: string };

/** One step of a machine. Pure; an event the table does not name for this state is ignored. */
export function step<S extends string, E extends string, F extends string>(machine: Machine<S, E, F>, state: S, event: E): Outcome<S, F> {
  const cell: Cell<S, F> | undefined = machine.table[state][event];
  if (cell === undefined) return { kind: 'ignored' };
  if ('reject' in cell) return { kind: 'rejected', reason: cell.reject };
  return { kind: 'moved', next: cell.next, effects: cell.effects };
}

/** The machine as a Mermaid state diagram; docs/states.md is made from this and checked against it. */
export function toMermaid<S extends string, E extends string, F extends string>(machine: Machine<S, E, F>): string {
  const lines = ['stateDiagram-v2', `  [*] --> ${machine.initial}`];
  for (const [state, row] of Object.entries(machine.table) as [S, { [K in E]?: Cell<S, F> }][]) {
    for (const [event, cell] of Object.entries(row) as [E, Cell<S, F>][]) {
      if ('next' in cell && cell.next !== state) lines.push(`  ${state} --> ${cell.next}: ${event} (${cell.why})`);
    }
  }
  for (const state of machine.terminal) lines.push(`  ${state} --> [*]`);
  return lines.join('\n');
}
