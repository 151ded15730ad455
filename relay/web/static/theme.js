// Before the first paint, so that a dark page never flashes white.
{
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const choose = () => {
    let theme = null;
    try { theme = localStorage.getItem("theme"); } catch { /* storage is forbidden */ }
    document.documentElement.dataset.theme = theme ?? (dark.matches ? "dark" : "light");
  };
  choose();
  dark.addEventListener("change", choose);
}
