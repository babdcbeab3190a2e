/** The properties of an ESTree node that this rule reads. */
interface Node {
  type: string;
  name?: string;
  computed?: boolean;
  arguments?: Node[];
  callee?: Node;
  object?: Node;
  property?: Node;
  value?: unknown;
}

interface Context {
  report(problem: { node: Node; message: string }): void;
}

const CLOCK_FIX = 'Read the time from the Clock argument';
const FIXES: Record<string, string> = {
  'Date.now': CLOCK_FIX,
  'performance.now': CLOCK_FIX,
  'process.hrtime': CLOCK_FIX,
  'Math.random': 'Read randomness from the RandomInt argument, or ids from the Ids argument',
  'crypto.randomUUID': 'Read ids from the Ids argument',
  setTimeout: 'Receive the timer as an argument',
  setInterval: 'Receive the timer as an argument',
  setImmediate: 'Receive the timer as an argument',
};
const REASON = 'the simulation runs this code on virtual time and seeded randomness';
const GLOBAL_OBJECTS = new Set(['globalThis', 'global']);

/** Returns `a` or `a.b` for `a`, `a.b` and `globalThis.a.b`; undefined for any other expression. */
function dottedName(node: Node | undefined): string | undefined {
  if (node?.type === 'Identifier') return node.name;
  if (node?.type !== 'MemberExpression') return undefined;
  const object = dottedName(node.object);
  const property = node.computed ? node.property?.value : node.property?.name;
  if (object === undefined || typeof property !== 'string') return undefined;
  return GLOBAL_OBJECTS.has(object) ? property : `${object}.${property}`;
}

/** Forbids direct use of the system clock, randomness and timers, which must be arguments. */
export const noAmbientInputs = {
  create(context: Context) {
    const check = (node: Node, name: string | undefined): void => {
      const fix = name === undefined || !Object.hasOwn(FIXES, name) ? undefined : FIXES[name];
      if (fix) context.report({ node, message: `${name} is not allowed here. ${fix}: ${REASON}.` });
    };
    return {
      // References are reported as well as calls: `const now = Date.now` would hide the calls.
      MemberExpression: (node: Node) => check(node, dottedName(node)),
      CallExpression(node: Node) {
        if (node.callee?.type === 'Identifier') check(node, node.callee.name);
        if (node.callee?.type === 'Identifier' && node.callee.name === 'Date') {
          context.report({ node, message: `Date() reads the clock. ${CLOCK_FIX}: ${REASON}.` });
        }
      },
      NewExpression(node: Node) {
        if (node.callee?.name === 'Date' && node.arguments?.length === 0) {
          context.report({ node, message: `new Date() without an argument reads the clock. ${CLOCK_FIX}: ${REASON}.` });
        }
      },
    };
  },
};
