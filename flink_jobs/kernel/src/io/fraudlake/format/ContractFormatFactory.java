package io.fraudlake.format;

import java.util.List;
import java.util.Set;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.format.DecodingFormat;
import org.apache.flink.table.connector.format.EncodingFormat;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DeserializationFormatFactory;
import org.apache.flink.table.factories.DynamicTableFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.factories.SerializationFormatFactory;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.RowType;

/**
 * The table format {@code 'fraudlake'}: records of a contract in, decisions and alerts out.
 *
 * <p>It exists because a decision holds the transaction byte for byte and a bad record must become
 * a dead letter, not a failure: the built-in JSON format can do neither in one pass.
 */
public final class ContractFormatFactory
        implements DeserializationFormatFactory, SerializationFormatFactory {

    private static final ConfigOption<String> CONTRACT =
            ConfigOptions.key("contract").stringType().defaultValue("transaction");
    private static final ConfigOption<String> RATES =
            ConfigOptions.key("rates").stringType().defaultValue("EUR=1");
    private static final ConfigOption<List<String>> FEATURES =
            ConfigOptions.key("features").stringType().asList().defaultValues();

    @Override
    public String factoryIdentifier() {
        return "fraudlake";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of(CONTRACT, RATES, FEATURES);
    }

    @Override
    public DecodingFormat<DeserializationSchema<RowData>> createDecodingFormat(
            DynamicTableFactory.Context context, ReadableConfig options) {
        FactoryUtil.validateFactoryOptions(this, options);
        return new DecodingFormat<>() {
            @Override
            public DeserializationSchema<RowData> createRuntimeDecoder(
                    DynamicTableSource.Context source, DataType type) {
                return new ContractDecoder(
                        options.get(CONTRACT),
                        options.get(RATES),
                        (RowType) type.getLogicalType(),
                        source.createTypeInformation(type));
            }

            @Override
            public ChangelogMode getChangelogMode() {
                return ChangelogMode.insertOnly();
            }
        };
    }

    @Override
    public EncodingFormat<SerializationSchema<RowData>> createEncodingFormat(
            DynamicTableFactory.Context context, ReadableConfig options) {
        FactoryUtil.validateFactoryOptions(this, options);
        return new EncodingFormat<>() {
            @Override
            public SerializationSchema<RowData> createRuntimeEncoder(
                    DynamicTableSink.Context sink, DataType type) {
                return new RecordEncoder((RowType) type.getLogicalType(), options.get(FEATURES));
            }

            @Override
            public ChangelogMode getChangelogMode() {
                return ChangelogMode.insertOnly();
            }
        };
    }
}
