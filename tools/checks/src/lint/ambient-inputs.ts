/** The part of an ESTree node these rules read; oxlint hands its nodes to plugins in this form. */
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

const CLOCK = 'Take the time from the Clock passed in';
const REMEDY: Record<string, string> = {
  'Date.now': CLOCK,
  'performance.now': CLOCK,
  'process.hrtime': CLOCK,
  'Math.random': 'Take randomness or ids from what is passed in',
  'crypto.randomUUID': 'Take ids from the Ids passed in',
  setTimeout: 'Take timers from what is passed in',
  setInterval: 'Take timers from what is passed in',
  setImmediate: 'Take timers from what is passed in',
};
const WHY = 'the simulation runs this code on virtual time and seeded chance';
const GLOBAL_OBJECTS = new Set(['globalThis', 'global']);

/** `a`, `a.b` and `globalThis.a.b` as a dotted name; undefined for anything else. */
function dottedName(node: Node | undefined): string | undefined {
  if (node?.type === 'Identifier') return node.name;
  if (node?.type !== 'MemberExpression') return undefined;
  const object = dottedName(node.object);
  const property = node.computed ? node.property?.value : node.property?.name;
  if (object === undefined || typeof property !== 'string') return undefined;
  return GLOBAL_OBJECTS.has(object) ? property : `${object}.${property}`;
}

/** Forbids reading the machine's clock, chance and timers where they must be passed in. */
export const noAmbientInputs = {
  create(context: Context) {
    const check = (node: Node, name: string | undefined): void => {
      const remedy = name === undefined || !Object.hasOwn(REMEDY, name) ? undefined : REMEDY[name];
      if (remedy) context.report({ node, message: `${name} is not allowed here. ${remedy}: ${WHY}.` });
    };
    return {
      // Not only calls: `const now = Date.now` would carry it out of sight.
      MemberExpression: (node: Node) => check(node, dottedName(node)),
      CallExpression(node: Node) {
        if (node.callee?.type === 'Identifier') check(node, node.callee.name);
        if (node.callee?.type === 'Identifier' && node.callee.name === 'Date') {
          context.report({ node, message: `Date() reads the clock. ${CLOCK}: ${WHY}.` });
        }
      },
      NewExpression(node: Node) {
        if (node.callee?.name === 'Date' && node.arguments?.length === 0) {
          context.report({ node, message: `new Date() without an argument reads the clock. ${CLOCK}: ${WHY}.` });
        }
      },
    };
  },
};
