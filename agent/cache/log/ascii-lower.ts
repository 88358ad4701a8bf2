/** As SQLite's `lower` does it: A to Z only. What is looked for must be lowered in the same way, or Ä is not even found as Ä. */
export const asciiLower = (text: string): string => text.replaceAll(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
