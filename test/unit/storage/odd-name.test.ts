import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { distinctName, legibleName, mayStandForBytes, spelledBytes } from '../../../agent/storage/odd-name.ts';

describe('names that are not UTF-8', () => {
  it.each([
    [[0x63, 0x61, 0x66, 0xe9], 'caf⟦e9⟧'],
    [[0xff, 0xfe, 0x61, 0xff], '⟦fffe⟧a⟦ff⟧'],
    [[0xc3, 0xbc, 0xc3], 'ü⟦c3⟧'],
    // A surrogate, an overlong slash and a code point beyond the last are no UTF-8.
    [[0xed, 0xa0, 0x80], '⟦eda080⟧'],
    [[0xc0, 0xaf], '⟦c0af⟧'],
    [[0xf4, 0x90, 0x80, 0x80], '⟦f4908080⟧'],
  ])('%j reads %s, and back', (bytes, name) => {
    expect(legibleName(Buffer.from(bytes))).toBe(name);
    expect(spelledBytes(name)).toEqual(Buffer.from(bytes));
  });

  it('are read back to the same bytes whatever they are, or not taken', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 255 }), (array) => {
        const bytes = Buffer.from(array);
        const name = legibleName(bytes);
        // Valid names need no form; the others hold no group of their own by chance.
        expect(name === null).toBe(isUtf8(bytes));
        if (name !== null) expect(spelledBytes(name)).toEqual(bytes);
      }),
    );
  });

  it('are not taken when they hold a group of their own already', () => {
    expect(legibleName(Buffer.concat([Buffer.from('⟦ff⟧'), Buffer.from([0xff])]))).toBeNull();
  });

  it('never spell a slash, a dot, a NUL or anything else of ASCII', () => {
    for (const name of ['⟦2f⟧', '⟦2e2e⟧', '⟦00⟧', '⟦ff2f⟧', '⟦FF⟧', '⟦f⟧', '⟦⟧']) {
      expect(mayStandForBytes(name)).toBe(false);
      expect(spelledBytes(name)).toBeNull();
    }
  });
});

describe('names that differ only in composition', () => {
  it('get forms that NFC does not make one, and that spell the name', () => {
    const names = ['M\u00fcll.mov', 'Mu\u0308ll.mov', '\u212b', '\u00c5', '\u1100\u1161', '\uac00'];
    const forms = names.map((name) => distinctName(name) ?? '');
    expect(forms).toEqual(['M⟦c3bc⟧ll.mov', 'Mu⟦cc88⟧ll.mov', '⟦e284ab⟧', '⟦c385⟧', '⟦e18480⟧⟦e185a1⟧', '⟦eab080⟧']);
    expect(new Set(forms.map((form) => form.normalize('NFC'))).size).toBe(names.length);
    for (const [index, form] of forms.entries()) expect(spelledBytes(form)?.toString()).toBe(names[index]);
  });

  it('have none when there is nothing to tell', () => {
    expect(distinctName('plain.mov')).toBeNull();
  });
});
