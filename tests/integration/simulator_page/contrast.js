// Each visible text's colour against what is painted behind it (WCAG 2.2, "contrast ratio"). Evaluated in the page by test_page_looks.py.
// Colours are read through a canvas, so that every notation is understood.
() => {
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", {
    willReadFrequently: true,
  });
  const read = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((value, index) => value * a + under[index] * (1 - a));
  const behind = (element) => {
    const layers = [];
    for (let node = element; node; node = node.parentElement) {
      layers.push(read(getComputedStyle(node).backgroundColor));
      if (layers.at(-1)[3] > 0.999) break;
    }
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.map((value) =>
      value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const results = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (
      !walker.currentNode.textContent.trim() ||
      !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    )
      continue;
    if (element.closest(".unseen, .avatar, .emoji, .md-spoiler-inner")) continue;
    const ground = behind(element);
    const ink = luminance(over(read(getComputedStyle(element).color), ground));
    const paper = luminance(ground);
    results.push({
      text: walker.currentNode.textContent.trim().slice(0, 40),
      of: element.className || element.tagName,
      ratio: (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05),
    });
  }
  return results;
};
