import type { Tables } from './tables.ts';

/** The one read that the simulated use-cases make by Prisma; any other throws. */
export function prismaTwin({ numbers }: Tables, reach: <T>(label: string, act: () => T) => Promise<T>): object {
  const known: Record<string, object> = {
    dial_in_number: {
      findFirst: ({ where }: { where: { e164?: string } }) =>
        reach('db find-number', () => (where.e164 === undefined ? (numbers.values().next().value ?? null) : (numbers.get(where.e164) ?? null))),
    },
  };
  return new Proxy(known, {
    get(target, name) {
      const model = target[String(name)];
      if (model === undefined) throw new Error(`the simulated database has no Prisma model ${String(name)}`);
      return new Proxy(model, {
        get(methods, method) {
          const found = (methods as Record<string | symbol, unknown>)[method];
          if (found === undefined) throw new Error(`the simulated database has no Prisma ${String(name)}.${String(method)}`);
          return found;
        },
      });
    },
  });
}
