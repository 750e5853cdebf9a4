export { instant } from '../base/instant.ts';

/** `1,234,567` */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** `1 row`, `2 rows` */
export function counted(value: number, word: string): string {
  return `${count(value)} ${word}${value === 1 ? '' : 's'}`;
}

/** `0.25 s`, `12.3 s`, `3 min 20 s`, `2 h 5 min` */
export function duration(seconds: number): string {
  if (seconds < 1) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(whole / 60);
  return `${count(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

/** `950`, `43.5 k`, `1.20 M`: for rates, where the digits after the third say nothing. */
export function rate(value: number): string {
  if (value < 9_999.5) return count(value);
  if (value < 999_950) return `${(value / 1e3).toFixed(1)} k`;
  return `${(value / 1e6).toFixed(2)} M`;
}

/** `950 B`, `43.5 kB`, `1.2 MB` */
export function size(bytes: number): string {
  const power = bytes < 999.5 ? 0 : Math.min(4, Math.floor((Math.log10(bytes) + 0.0003) / 3));
  return power === 0 ? `${count(bytes)} B` : `${(bytes / 1e3 ** power).toFixed(1)} ${'kMGT'[power - 1]}B`;
}
