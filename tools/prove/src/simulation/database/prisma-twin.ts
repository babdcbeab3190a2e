/** Throws on any use: the simulated use-cases read nothing by Prisma. */
export const createPrismaTwin = (): object =>
  new Proxy(
    {},
    {
      get(_target, name) {
        throw new Error(`the simulated database has no Prisma model ${String(name)}`);
      },
    },
  );
