package io.fraudlake.decision;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.api.ValidationException;

/** What the planner tells the last stage: the rules' weights, the bands, where records go. */
final class JudgementPlan {

    private static final int VERSION = 1;

    /** The Python planner's floor(score * 1e9 + 0.5) / 1e9: scores are whole billionths. */
    private static final double SCORE_STEPS = 1e9;

    /** A shadow rule is told and never counted. */
    record Rule(String id, double weight, boolean isActive) {}

    final List<Rule> rules = new ArrayList<>();
    final String ruleset;
    final String baseCurrency;
    final String transactionsTopic;
    final String decisionsTopic;
    final String alertsTopic;
    final long alertWindowMs;
    /** Whether the rows of a card may come in another order than that of its partition. */
    final boolean isReordering;
    private final boolean isSum;
    private final double reviewAt;
    private final double blockAt;

    private JudgementPlan(JsonNode json) {
        if (json.path("version").asInt() != VERSION) {
            throw new ValidationException(
                    "judgement plan version must be " + VERSION + ", not " + json.path("version"));
        }
        for (JsonNode rule : json.required("rules")) {
            rules.add(
                    new Rule(
                            rule.required("id").asText(),
                            rule.required("weight").asDouble(),
                            "active".equals(rule.required("state").asText())));
        }
        ruleset = json.required("ruleset").asText();
        baseCurrency = json.required("base_currency").asText();
        transactionsTopic = json.required("transactions").asText();
        decisionsTopic = json.required("decisions").asText();
        alertsTopic = json.required("alerts").asText();
        alertWindowMs = json.required("alert_window_ms").asLong();
        isReordering = json.required("reordering").asBoolean();
        isSum = "sum".equals(json.required("combine").asText());
        reviewAt = json.required("review_at").asDouble();
        blockAt = json.required("block_at").asDouble();
    }

    /** Throws ValidationException for a plan that this release cannot follow. */
    static JudgementPlan parse(String json) {
        try {
            return new JudgementPlan(new ObjectMapper().readTree(json));
        } catch (JsonProcessingException error) {
            throw new ValidationException("the judgement plan is not JSON: " + error.getMessage());
        } catch (IllegalArgumentException error) {
            throw new ValidationException("the judgement plan: " + error.getMessage());
        }
    }

    /** The score where rule {@code i} has fired as {@code fired[i]} says. */
    double score(boolean[] fired) {
        double total = isSum ? 0 : 1;
        for (int i = 0; i < fired.length; i++) {
            Rule rule = rules.get(i);
            if (fired[i] && rule.isActive()) {
                total = isSum ? total + rule.weight() : total * (1 - rule.weight());
            }
        }
        return Math.floor((isSum ? total : 1 - total) * SCORE_STEPS + 0.5) / SCORE_STEPS;
    }

    Band band(double score) {
        return score >= blockAt ? Band.BLOCK : score >= reviewAt ? Band.REVIEW : Band.ALLOW;
    }
}
