"""The exact names a saved estimator may hold, reviewed one by one, and what may be done with them.

Three kinds, from most to least: names that loading may call, classes whose instances loading may
make and fill, and names that are only ever values, such as a loss function or a dtype. None of
them opens, imports, evaluates or calls by name; what calls what it is given (`functools.partial`,
`copy.deepcopy`) meets only other names of these lists.
"""

from __future__ import annotations

import functools
import importlib

from river.base import Base
from sklearn.base import BaseEstimator


def _names(**modules: str) -> frozenset[str]:
    """Return "module.name" for names grouped by module, written with "__" for each dot."""
    return frozenset(
        f"{module.replace('__', '.')}.{name}"
        for module, names in modules.items()
        for name in names.split()
    )


CALLED = _names(
    builtins="complex range slice",
    collections="Counter OrderedDict defaultdict deque",
    datetime="date datetime time timedelta timezone",
    decimal="Decimal",
    functools="partial",
    random="Random",
    re="_compile",
    sklearn___loss___loss=(
        "CyAbsoluteError CyExponentialLoss CyHalfBinomialLoss CyHalfGammaLoss "
        "CyHalfMultinomialLoss CyHalfPoissonLoss CyHalfSquaredError CyHalfTweedieLoss "
        "CyHalfTweedieLossIdentity CyHuberLoss CyPinballLoss"
    ),
    sklearn__linear_model___sgd_fast=(
        "EpsilonInsensitive Hinge ModifiedHuber SquaredEpsilonInsensitive SquaredHinge"
    ),
    sklearn__tree___tree="Tree",
    river___river_rust__drift="AdaptiveWindowing",
    river___river_rust__stats=(
        "RsEWMean RsEWVar RsIQR RsKurtosis RsPeakToPeak RsQuantile RsRollingIQR "
        "RsRollingPRAUC RsRollingQuantile RsRollingROCAUC RsSkew"
    ),
    river___river_rust__vectordict="VectorDict",
    river__time_series__holt_winters=(
        "AdditiveLevel AdditiveSeason MultiplicativeLevel MultiplicativeSeason Trend"
    ),
) | frozenset(
    [
        # Written out, since these names hold "__" themselves.
        "numpy.random._pickle.__bit_generator_ctor",
        "numpy.random._pickle.__generator_ctor",
        "numpy.random._pickle.__randomstate_ctor",
        "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
        "sklearn._loss._loss.__pyx_unpickle_CyHalfMultinomialLoss",
        "sklearn.metrics._dist_metrics.newObj",
        "sklearn.neighbors._ball_tree.newObj",
        "sklearn.neighbors._kd_tree.newObj",
    ]
)

MADE = _names(
    statistics="NormalDist",
    river__cluster__clustream="CluStreamMicroCluster",
    river__cluster__dbstream="DBSTREAMMicroCluster",
    river__cluster__denstream="DenStream.BufferItem DenStreamMicroCluster",
    river__cluster__textclust="TextClust.Distances TextClust.MicroCluster",
    river__covariance__emp="EmpiricalCovariance EmpiricalPrecision",
    river__covariance__ewa=(
        "EwaCovariance EwaPrecision LedoitWolfCovariance OASCovariance ShrunkCovariance"
    ),
    river__drift__binary__hddm_w="SampleInfo",
    river__ensemble__streaming_random_patches="BaseSRPClassifier BaseSRPRegressor",
    river__imblearn__hard_sampling="Triplet",
    river__metrics__multioutput__confusion="MultiLabelConfusionMatrix",
    river__neighbors__ann__nn_vertex="Vertex",
    river__neighbors__base="FunctionWrapper",
    river__rules__base="NominalLiteral NumericLiteral",
    river__sketch__histogram="Bin",
    river__stats__kolmogorov_smirnov="_Node",
    river__time_series__snarimax="Differencer",
    river__tree__losses="BinaryCrossEntropyLoss SquaredErrorLoss",
    river__tree__split_criterion__gini_split_criterion="GiniSplitCriterion",
    river__tree__split_criterion__hellinger_distance_criterion="HellingerDistanceCriterion",
    river__tree__split_criterion__info_gain_split_criterion="InfoGainSplitCriterion",
    river__tree__split_criterion__intra_cluster_variance_reduction_split_criterion=(
        "IntraClusterVarianceReductionSplitCriterion"
    ),
    river__tree__split_criterion__variance_ratio_split_criterion="VarianceRatioSplitCriterion",
    river__tree__split_criterion__variance_reduction_split_criterion=(
        "VarianceReductionSplitCriterion"
    ),
    river__tree__splitter__ebst_splitter="EBSTNode",
    river__tree__splitter__exhaustive_splitter="ExhaustiveNode",
    river__tree__splitter__qo_splitter="FeatureQuantizer Slot",
    river__tree__utils="BranchFactory GradHess GradHessMerit GradHessStats",
    river__utils__rolling="Rolling TimeRolling",
    river__utils__sorted_window="SortedWindow",
    scipy__interpolate___bsplines="BSpline",
    scipy__sparse___csc="csc_array csc_matrix",
    scipy__sparse___csr="csr_array csr_matrix",
    sklearn___loss__link=("HalfLogitLink IdentityLink Interval LogLink LogitLink MultinomialLogit"),
    sklearn___loss__loss=(
        "AbsoluteError ExponentialLoss HalfBinomialLoss HalfGammaLoss HalfMultinomialLoss "
        "HalfPoissonLoss HalfSquaredError HalfTweedieLoss HalfTweedieLossIdentity HuberLoss "
        "PinballLoss"
    ),
    sklearn__calibration="_CalibratedClassifier _SigmoidCalibration",
    sklearn__cluster___birch="_CFNode _CFSubcluster",
    sklearn__cluster___bisect_k_means="_BisectingTree",
    sklearn__ensemble___hist_gradient_boosting__predictor="TreePredictor",
    sklearn__gaussian_process__kernels=(
        "CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Hyperparameter "
        "Matern Product RBF RationalQuadratic Sum WhiteKernel"
    ),
    sklearn__metrics___dist_metrics=(
        "ChebyshevDistance64 EuclideanDistance64 ManhattanDistance64 MinkowskiDistance64"
    ),
    sklearn__metrics___scorer="_CurveScorer _PassthroughScorer _Scorer",
    sklearn__model_selection___split="KFold RepeatedKFold StratifiedKFold TimeSeriesSplit",
    sklearn__neighbors___ball_tree="BallTree",
    sklearn__neighbors___kd_tree="KDTree",
    sklearn__neural_network___stochastic_optimizers="AdamOptimizer SGDOptimizer",
    sklearn__utils___bunch="Bunch",
    sklearn__utils___metadata_requests="MetadataRequest MethodMetadataRequest",
)

VALUES = _names(
    builtins="abs bool bytes dict float frozenset int len list max min object set str sum tuple",
    copy="deepcopy",
    math="exp log log10 log1p log2 sqrt",
    numpy=(
        "abs bool exp expm1 float16 float32 float64 int16 int32 int64 int8 log log10 log1p "
        "max mean median min ones sqrt square str_ uint16 uint32 uint64 uint8 zeros"
    ),
    numpy__random___mt19937="MT19937",
    numpy__random___pcg64="PCG64 PCG64DXSM",
    numpy__random___philox="Philox",
    numpy__random___sfc64="SFC64",
    numpy__random__bit_generator="SeedSequence",
    river___river_rust__vectordict=(
        "euclidean_distance_dict euclidean_distance_tuple lazy_search_euclidean"
    ),
    river__feature_extraction__vectorize=(
        "find_ngrams remove_stop_words strip_accents_unicode tokenize_using_regex_pattern"
    ),
    river__metrics__mutual_info=("_average_arithmetic _average_geometric"),
    river__forest__online_extra_trees=(
        "ExtraTrees._detection_mode_all ExtraTrees._detection_mode_drop "
        "ExtraTrees._detection_mode_off"
    ),
    river__naive_bayes__gaussian="GaussianNB._make_gaussian",
    river__tree__splitter__ebst_splitter=(
        "EBSTNode._update_estimator_multivariate EBSTNode._update_estimator_univariate"
    ),
    river__tree__splitter__nominal_splitter_reg=(
        "NominalSplitterReg._update_estimator_multivariate "
        "NominalSplitterReg._update_estimator_univariate"
    ),
    river__utils__math="minkowski_distance",
    scipy___lib__array_api_compat__numpy___aliases="asarray",
    sklearn__cluster___kmeans="_kmeans_single_elkan _kmeans_single_lloyd",
    sklearn__feature_selection___univariate_selection="chi2 f_classif f_regression",
    sklearn__metrics___classification="accuracy_score balanced_accuracy_score",
)

# Bound methods that river keeps as attributes, by where the method is defined.
METHODS = _names(
    builtins="str.lower",
    random="Random.gauss",
    river__bandit__thompson="ThompsonSampling._clone_reward_obj_with_seed",
    river__base__base="Base.clone",
    river__drift__dummy="DummyDriftDetector._fixed_trigger DummyDriftDetector._random_trigger",
    river__drift__page_hinkley=(
        "PageHinkley._test_both PageHinkley._test_down PageHinkley._test_up"
    ),
    river__ensemble__bagging=(
        "LeveragingBaggingClassifier._leveraging_bag "
        "LeveragingBaggingClassifier._leveraging_bag_me "
        "LeveragingBaggingClassifier._leveraging_bag_half "
        "LeveragingBaggingClassifier._leveraging_bag_wt "
        "LeveragingBaggingClassifier._leveraging_subag"
    ),
    river__feature_extraction__kernel_approx="RBFSampler._random_weights",
    river__linear_model__pa="BasePA._calc_tau_0 BasePA._calc_tau_1 BasePA._calc_tau_2",
    river__multiclass__occ="OutputCodeClassifier._next_code",
    river__preprocessing__random_projection=(
        "GaussianRandomProjector._rand_gauss SparseRandomProjector._rand_weights_for_feature"
    ),
)

# Where river and scikit-learn keep estimators; their readers, data sets and plots are elsewhere.
PACKAGES = _names(
    river=(
        "active anomaly bandit base cluster compat compose conf drift dummy ensemble facto "
        "feature_extraction feature_selection forest imblearn linear_model metrics misc "
        "model_selection multiclass multioutput naive_bayes neighbors optim preprocessing proba "
        "reco rules sketch stats time_series tree"
    ),
    sklearn=(
        "calibration cluster compose covariance cross_decomposition decomposition "
        "discriminant_analysis dummy ensemble feature_extraction feature_selection frozen "
        "gaussian_process impute isotonic kernel_approximation kernel_ridge linear_model manifold "
        "mixture model_selection multiclass multioutput naive_bayes neighbors neural_network "
        "pipeline preprocessing random_projection semi_supervised svm tree"
    ),
)
_NOT_ESTIMATORS = frozenset(("tests", "datasets", "envs", "evaluate", "conftest"))


@functools.cache
def is_estimator(module: str, name: str) -> bool:
    """Return whether this is the exact name of an installed river or scikit-learn estimator.

    It is a class, defined in that very module under that very name, of a package that holds
    estimators, and descends from river's or scikit-learn's base class. Its constructor is never
    called by loading; its attributes are filled in.
    """
    parts = module.split(".")
    if ".".join(parts[:2]) not in PACKAGES or not _NOT_ESTIMATORS.isdisjoint(parts):
        return False
    if not all(part.isidentifier() and not part.startswith("test_") for part in parts):
        return False
    try:
        found = vars(importlib.import_module(module)).get(name)
    except ImportError:
        return False
    return (
        isinstance(found, type)
        and issubclass(found, (Base, BaseEstimator))
        and (found.__module__, found.__qualname__) == (module, name)
    )
