/** True if `accept` names this media type explicitly, in any case, and not with `q=0`. */
export const accepts = (accept: string | undefined, type: string): boolean =>
  (accept ?? '').split(',').some((each) => {
    const [name, ...parameters] = each
      .toLowerCase()
      .split(';')
      .map((part) => part.trim());
    return name === type && !parameters.some((parameter) => /^q\s*=\s*0(\.0*)?$/.test(parameter));
  });
