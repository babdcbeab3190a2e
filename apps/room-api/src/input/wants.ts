/**
 * Does a request name this media type in its `accept`, in whatever case, and not with `q=0`, which refuses it? For what is also given in another form than JSON: who
 * names that form gets it.
 */
export const wants = (accept: string | undefined, type: string): boolean =>
  (accept ?? '').split(',').some((each) => {
    const [name, ...parameters] = each
      .toLowerCase()
      .split(';')
      .map((part) => part.trim());
    return name === type && !parameters.some((parameter) => /^q\s*=\s*0(\.0*)?$/.test(parameter));
  });
