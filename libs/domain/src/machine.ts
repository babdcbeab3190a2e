/**
 * A state machine as a table of states and events. An event without a cell is ignored, because
 * webhooks and jobs arrive duplicated, late and out of order. The table has no side effects:
 * settling a session derives them from the stored rows.
 */
export interface Machine<State extends string, Event extends string> {
  readonly name: string;
  readonly initial: State;
  readonly terminal: readonly State[];
  readonly table: { readonly [S in State]: { readonly [E in Event]?: Cell<State> } };
}

/** `why` is the label of the arrow in the diagram. */
interface Cell<State extends string> {
  readonly next: State;
  readonly why: string;
}

/** Returns the state after an event, or `null` when the table ignores the event in this state. */
export function nextState<S extends string, E extends string>(machine: Machine<S, E>, state: S, event: E): S | null {
  const cell: Cell<S> | undefined = machine.table[state][event];
  return cell?.next ?? null;
}

/**
 * Renders the machine as a Mermaid state diagram. docs/states.md is generated from it, and a check
 * compares them.
 */
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
