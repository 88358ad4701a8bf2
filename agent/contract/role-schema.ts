import { z } from 'zod';
import { ROLES } from './roles.ts';

/** One of the four roles. Apart from their names, so that the window's first screen needs no parser. */
export const roleSchema = z.enum(ROLES);
