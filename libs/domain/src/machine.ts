/**
 * A state machine as a table: for each state, what each event does. What a cell does not name is ignored, because every webhook and
 * job comes twice, late or out of order, and that must be ordinary. What follows from a move is read off the rows, by whoever settles them.
 */
export interface Machine<State extends string, Event extends string> {
  readonly name: string;
  readonly initial: State;
  readonly terminal: readonly State[];
  readonly table: { readonly [S in State]: { readonly [E in Event]?: Cell<State> } };
}

/** `why` is the sentence on the arrow in the drawn diagram. */
interface Cell<State extends string> {
  readonly next: State;
  readonly why: string;
}

/** The state after an event; `null` when the table does not name the event for this state, and it is ignored. Pure. */
export function step<S extends string, E extends string>(machine: Machine<S, E>, state: S, event: E): S | null {
  const cell: Cell<S> | undefined = machine.table[state][event];
  return cell?.next ?? null;
}

/** The machine as a Mermaid state diagram; docs/states.md is made from this and checked against it. */
export function toMermaid<S extends string, E extends string>(machine: Machine<S, E>): string {
  const lines = ['stateDiagram-v2', `  [*] --> ${machine.initial}`];
  for (const [state, row] of Object.entries(machine.table) as [S, { [K in E]?: Cell<S> }][]) {
    for (const [event, cell] of Object.entries(row) as [E, Cell<S>][]) {
      if (cell.next !== state) lines.push(`  ${state} --> ${cell.next}: ${event} (${cell.why})`);
    }
  }
  for (const state of machine.terminal) lines.push(`  ${state} --> [*]`);
  return lines.join('\n');
}
