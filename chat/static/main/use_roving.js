// Arrow keys move between the lines of a list: elements with `data-stop` inside `place`.
function stops(place) {
  return [...place.current.querySelectorAll("[data-stop]")];
}

export function useRoving(place) {
  return {
    focusFirst: () => stops(place)[0]?.focus(),
    focusLast: () => stops(place).at(-1)?.focus(),
    /** `before` is called when the first line is left upwards. */
    onKeyDown(event, before) {
      const all = stops(place);
      const here = all.indexOf(event.target.closest("[data-stop]"));
      if (here < 0) return;
      if (event.key === "ArrowUp" && here === 0 && before) before();
      else if (event.key === "ArrowUp" || event.key === "ArrowDown") all[here + (event.key === "ArrowUp" ? -1 : 1)]?.focus();
      else if (event.key === "Home") all[0].focus();
      else if (event.key === "End") all.at(-1).focus();
      else return;
      event.preventDefault();
    },
  };
}
