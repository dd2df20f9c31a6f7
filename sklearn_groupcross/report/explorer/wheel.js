// The members of a family, each where its pose turns the medoid to.

function slotWords(run, slot) {
  const name = slot.name ? `${slot.name.replace(/\s+/g, " ")}: ` : "";
  if (slot.gap) return `${name}no feature`;
  if (!slot.members.length) return `${name}feature ${slot.silent[0]}, which fires on too few of these inputs to be shown`;
  return `${name}feature ${slot.members[0]}${slot.members.length > 1 ? ` and ${slot.members.length - 1} more` : ""}`;
}

function WheelSlot({ run, family, slot, place, marked, middle, plain }) {
  const [left, top, size] = place;
  const style = { left: `${left}cqw`, top: `${top}cqw`, width: `${size}cqw`, height: `${size}cqw` };
  const number = slot.members && slot.members[0];
  if (slot.gap) return html`<span class="slot gap" style=${style} title=${slotWords(run, slot)}></span>`;
  if (number === undefined) return html`<span class="slot silent" style=${style} title=${slotWords(run, slot)}><span class="dot" style=${{ fontSize: `${size * 0.28}cqw` }}>${slot.silent[0]}</span></span>`;
  const row = run.rows.get(number);
  const isMarked = marked !== undefined && slot.members.includes(marked);
  const name = `slot${middle || number === family.medoid ? " medoid" : ""}${isMarked ? " marked" : ""}`;
  const inside = run.hasPictures && row !== undefined
    ? html`<${Tile} run=${run} picture=${run.picture(row)} size=${size} unit="cqw" />`
    : html`<span class="dot" style=${{ fontSize: `${size * 0.28}cqw` }}>${number}</span>`;
  const more = slot.members.length > 1 && !middle && size > 5 ? html`<span class="more">+${slot.members.length - 1}</span>` : null;
  if (plain) return html`<span class=${name} style=${style}>${inside}</span>`;
  return html`<a class=${name} style=${style} href=${router.link(`feature-${number}`)} title=${slotWords(run, slot)} aria-label=${`${middle ? "Medoid, " : ""}${slotWords(run, slot)}`} aria-current=${isMarked ? "true" : undefined}>${inside}${more}</a>`;
}

/** `plain`: a picture within a link to the family; otherwise every member is a link of its own. */
function Wheel({ run, family, marked, plain, small }) {
  const { wheel } = family;
  const [left, right, bottom, top] = wheel.extent;
  const scale = 100 / (right - left);
  const place = (slot, diameter = slot.diameter) => [
    (slot.x - left - diameter / 2) * scale, (top - slot.y - diameter / 2) * scale, diameter * scale,
  ];
  const taken = wheel.slots.filter((slot) => !slot.gap).length;
  const words = `Wheel of family ${family.label}: ${taken} of ${wheel.slots.length} places taken`;
  const every = small ? Math.max(1, Math.ceil(wheel.slots.filter((slot) => slot.name).length / 16)) : 1;
  let named = -1;
  return html`<div class="wheel${small ? " small" : ""}${wheel.medoid ? " around" : ""}" role=${plain ? "img" : "group"} aria-label=${words}>
    <div class="wheel-room" style=${{ paddingBottom: `${((top - bottom) / (right - left)) * 100}%` }}>
      ${wheel.slots.map((slot, i) => html`<${WheelSlot} key=${i} run=${run} family=${family} slot=${slot} place=${place(slot)} marked=${marked} plain=${plain} />`)}
      ${wheel.slots.map((slot) => {
        if (!slot.name || ++named % every) return null;
        const [x, y] = slot.name_at;
        // around a wheel, names begin where their places end; in rows they stand below
        const aside = wheel.medoid ? x / (Math.hypot(x, y) || 1) : 0;
        const style = { left: `${(x - left - 0.06 * aside) * scale}cqw`, top: `${(top - y) * scale}cqw`, transform: `translate(${50 * aside - 50}%, -50%)` };
        if (!wheel.medoid) {
          if (small && slot.gap) return null;
          Object.assign(style, { width: `${slot.diameter * scale * 1.1}cqw`, top: `${(top - slot.y + slot.diameter / 2) * scale}cqw`, transform: "translate(-50%, 2px)" });
        }
        return html`<span class="slot-name" aria-hidden="true" style=${style}>${slot.name}</span>`;
      })}
      ${wheel.medoid && html`<${WheelSlot} run=${run} family=${family} slot=${{ ...wheel.medoid, members: wheel.medoid.members && wheel.medoid.members.length ? wheel.medoid.members : [family.medoid] }} place=${place(wheel.medoid)} middle marked=${marked} plain=${plain} />`}
    </div>
  </div>`;
}
