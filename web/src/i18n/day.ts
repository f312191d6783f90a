/** The first millisecond of a day, as the reader's clock has it. */
export const dayStart = (at: Date) => new Date(at.getFullYear(), at.getMonth(), at.getDate())
