/**
 * Name of a copy: as ordered, with the extension of the original behind it when the order says so and it is not there.
 * Without an ordered name the copy keeps its own.
 */
export function nameOfCopy(originalName: string, ordered: string | null, includeOriginalExtension: boolean): string {
  if (!ordered) return originalName;
  const extension = extensionOf(originalName);
  if (!includeOriginalExtension || extension === '') return ordered;
  return ordered.toLowerCase().endsWith(extension.toLowerCase()) ? ordered : `${ordered}${extension}`;
}

/** `.mov` of `clip.mov`; '' for none, and for names that only begin with a dot. */
export function extensionOf(name: string): string {
  const at = name.lastIndexOf('.');
  return at > 0 ? name.slice(at) : '';
}
