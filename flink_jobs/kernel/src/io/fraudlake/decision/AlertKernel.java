package io.fraudlake.decision;

import java.util.List;

/**
 * Which alert a flagged decision belongs to, and what the alert holds with it.
 *
 * <p>Nothing here knows Flink. The same, slowly, is {@code pipelines/alert_grouping.py}. A decision
 * joins the card's alert if its event time is less than the window away from the opening one's. A
 * later one opens the next alert; one from long before is an alert of its own and leaves the open
 * one as it is.
 */
public final class AlertKernel {

    /** An alert is let go of so long after its window: what comes late still finds it. */
    private static final long GRACE_MS = 86_400_000;

    private final long windowMs;
    private final Ids ids = new Ids();

    /** A decision in band review or block. */
    public record Flagged(
            byte[] decisionId,
            byte[] transactionId,
            long eventTime,
            long amountMinor,
            double score,
            boolean isBlock,
            List<Reason> reasons) {}

    public AlertKernel(long windowMs) {
        this.windowMs = windowMs;
    }

    /** The alert that {@code flagged} belongs to, with it; {@code open} (null: none) is changed. */
    public OpenAlert take(byte[] cardId, OpenAlert open, Flagged flagged) {
        boolean isJoining =
                open != null && Math.abs(flagged.eventTime() - open.openedAt) < windowMs;
        OpenAlert alert = isJoining ? open : begin(cardId, flagged);
        alert.sequence++;
        alert.updatedAt = Math.max(alert.updatedAt, flagged.eventTime());
        alert.amountMinor += flagged.amountMinor();
        alert.score = Math.max(alert.score, flagged.score());
        alert.isBlock |= flagged.isBlock();
        flagged.reasons().forEach(alert::add);
        return alert;
    }

    /** Whether {@code alert} is what the card's next flagged decision may join. */
    public boolean isToKeep(OpenAlert alert, OpenAlert open) {
        return open == null || alert == open || alert.openedAt > open.openedAt;
    }

    private OpenAlert begin(byte[] cardId, Flagged flagged) {
        return new OpenAlert(
                ids.alert(cardId, flagged.transactionId()),
                flagged.decisionId(),
                flagged.transactionId(),
                flagged.eventTime(),
                flagged.eventTime() + windowMs + GRACE_MS);
    }
}
