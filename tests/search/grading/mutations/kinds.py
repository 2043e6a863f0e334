"""The kinds of answers that the grader must tell apart, by name."""

from __future__ import annotations

from tests.search.grading.mutations import (
    bases,
    collections_of_answers,
    inequalities,
    matrices,
    number_forms,
    polynomials,
    quantities,
    rationals,
    solutions,
    surds,
    words,
)
from tests.search.grading.mutations.pairs import Kind

KINDS: dict[str, Kind] = {
    "exact number": Kind(
        draw=surds.draw_exact,
        write=surds.write_exact,
        change=surds.change_exact,
        near_misses=(surds.tiny_difference, surds.few_digits),
    ),
    "evaluated number": Kind(draw=surds.draw_evaluated, write=surds.write_evaluated, change=surds.change_evaluated),
    "decimal": Kind(
        draw=rationals.draw_decimal,
        write=lambda rng, value, is_gold: rationals.write_decimal(rng, value, is_gold=is_gold),
        change=rationals.change_digit,
    ),
    "percentage": Kind(draw=bases.draw_percentage, write=bases.write_percentage, change=bases.change_percentage),
    "money": Kind(
        draw=bases.draw_money,
        write=bases.write_money,
        change=bases.change_money,
        near_misses=(bases.other_currency, bases.cents_for_dollars),
        is_money=True,
    ),
    "mixed number": Kind(
        draw=number_forms.draw_mixed,
        write=number_forms.write_mixed,
        change=number_forms.change_mixed,
        near_misses=(number_forms.near_mixed,),
    ),
    "scientific": Kind(
        draw=number_forms.draw_scientific, write=number_forms.write_scientific, change=number_forms.change_scientific
    ),
    "repeating": Kind(
        draw=number_forms.draw_repeating,
        write=number_forms.write_repeating,
        change=number_forms.change_repeating,
        near_misses=(number_forms.near_repeating,),
    ),
    "other base": Kind(draw=bases.draw_based, write=bases.write_based, change=bases.change_based),
    "expression": Kind(
        draw=polynomials.draw_expression,
        write=polynomials.write_expression,
        change=polynomials.change_expression,
        near_misses=(polynomials.dropped_parentheses,),
    ),
    "equation": Kind(
        draw=polynomials.draw_equation,
        write=polynomials.write_equation,
        change=polynomials.change_equation,
        near_misses=(polynomials.other_variable,),
    ),
    "inequality": Kind(
        draw=inequalities.draw_inequality, write=inequalities.write_inequality, change=inequalities.change_inequality
    ),
    "interval": Kind(
        draw=collections_of_answers.draw_intervals,
        write=collections_of_answers.write_intervals,
        change=collections_of_answers.change_intervals,
    ),
    "set": Kind(
        draw=collections_of_answers.draw_set,
        write=collections_of_answers.write_set,
        change=collections_of_answers.change_set,
        near_misses=(collections_of_answers.plus_minus,),
    ),
    "tuple": Kind(
        draw=collections_of_answers.draw_tuple,
        write=collections_of_answers.write_tuple,
        change=collections_of_answers.change_sequence,
    ),
    "matrix": Kind(draw=matrices.draw_matrix, write=matrices.write_matrix, change=matrices.change_matrix),
    "vector": Kind(draw=matrices.draw_vector, write=matrices.write_vector, change=matrices.change_vector),
    "choice": Kind(draw=words.draw_choice, write=words.write_choice, change=words.change_choice),
    "ratio": Kind(draw=words.draw_ratio, write=words.write_ratio, change=words.change_ratio),
    "time": Kind(draw=words.draw_time, write=words.write_time, change=words.change_time),
    "word or phrase": Kind(
        draw=words.draw_words, write=words.write_words, change=words.change_words, near_misses=(words.odd_words,)
    ),
    "True or False": Kind(
        draw=words.draw_truth, write=words.write_truth, change=words.change_truth, near_misses=(words.near_truth,)
    ),
    "quantity": Kind(
        draw=quantities.draw_quantity,
        write=quantities.write_quantity,
        change=quantities.change_quantity,
        near_misses=(quantities.other_unit, quantities.value_words),
    ),
    "special value": Kind(draw=solutions.draw_special, write=solutions.write_special, change=solutions.change_special),
    "complex number": Kind(draw=solutions.draw_complex, write=solutions.write_complex, change=solutions.change_complex),
    "assignments": Kind(
        draw=solutions.draw_assignments, write=solutions.write_assignments, change=solutions.change_assignments
    ),
    "plus or minus": Kind(draw=solutions.draw_signs, write=solutions.write_signs, change=solutions.change_signs),
    "quotient": Kind(draw=solutions.draw_quotient, write=solutions.write_quotient, change=solutions.change_quotient),
    "special set": Kind(
        draw=solutions.draw_special_set, write=solutions.write_special_set, change=solutions.change_special_set
    ),
    "compound quantity": Kind(
        draw=solutions.draw_compound, write=solutions.write_compound, change=solutions.change_compound
    ),
}
